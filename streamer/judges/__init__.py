"""Between usage and detectors: what to measure for whom, and what a verdict means in dollars."""
