"""Tidegate's detectors: numbers and times in, verdicts with a reason out.

Pure: no Kafka, no clock, no knowledge of tenants or alerts. River supplies the online statistics.
"""

from detectors.budget import BudgetDetector, BudgetLine
from detectors.contract import Detector
from detectors.loop import Circled, Grown, LoopDetector, LoopFinding, LoopParams, Repeated, Ringed, Varied
from detectors.rate import RateBaseline, RateParams

__all__ = [
    "BudgetDetector",
    "BudgetLine",
    "Circled",
    "Detector",
    "Grown",
    "LoopDetector",
    "LoopFinding",
    "LoopParams",
    "RateBaseline",
    "RateParams",
    "Repeated",
    "Ringed",
    "Varied",
]
