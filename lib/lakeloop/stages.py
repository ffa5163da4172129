"""The stages, in order; apart, so that the command line can name them without loading Spark."""

STAGES = ("bronze", "silver", "gold", "features", "train", "score", "monitor")
