"""Tidegate's detectors: numbers and times in, verdicts with a reason out.

Pure: no Kafka, no clock, no knowledge of tenants or alerts. River supplies the online statistics.
"""

from detectors.budget import BudgetDetector, BudgetLine
from detectors.contract import Detector
from detectors.loop import LoopDetector, LoopFinding, LoopParams
from detectors.outlier import OutlierParams, OutlierScorer
from detectors.rate import RateBaseline, RateParams

__all__ = [
    "BudgetDetector",
    "BudgetLine",
    "Detector",
    "LoopDetector",
    "LoopFinding",
    "LoopParams",
    "OutlierParams",
    "OutlierScorer",
    "RateBaseline",
    "RateParams",
]
