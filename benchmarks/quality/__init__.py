"""How well the detectors detect: labelled scenarios, a judge, and tables. Run as `python -m benchmarks.quality`."""
