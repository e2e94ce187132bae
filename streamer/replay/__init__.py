"""Replay: yesterday's events through today's Pipeline, by the data's own clock."""
