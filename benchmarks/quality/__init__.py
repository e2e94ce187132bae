"""How well the detectors detect, measured on labelled data."""
