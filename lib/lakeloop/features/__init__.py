"""Features: windowed aggregates of events, and what was known of them at the time of each row to predict."""
