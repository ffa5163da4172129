"""The configuration: its language (models), its files (loading) and what its SQL says (sql)."""

from lakeloop.config.environment import Environment
from lakeloop.config.loading import Settings, load, load_environment
from lakeloop.config.pipeline import Pipeline

__all__ = ["Environment", "Pipeline", "Settings", "load", "load_environment"]
