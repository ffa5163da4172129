"""Onboarding: a first pipeline.yml from raw files; see lakeloop.onboarding.start."""
