"""Monitoring: profiles of the scored rows over time, and how far they are from the rows that the model learnt from."""
