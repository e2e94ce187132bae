"""Tests that run Tidegate's processes against real brokers over TCP."""
