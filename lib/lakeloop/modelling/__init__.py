"""Modelling: what is held out, which estimators are tried, how they are judged, which model becomes champion."""
