"""Lakeloop: the closed loop of a lakehouse ML system on Spark, Delta Lake and MLflow.

Importing the package is cheap: neither Spark nor MLflow is loaded before something needs it.
"""

from lakeloop.version import __version__

__all__ = ["__version__"]
