"""Benchmarks: numbers from commands, as ratios against something in the same run."""
