"""Tidegate's detectors: numbers and times in, verdicts with a reason out.

Pure: no Kafka, no clock, no knowledge of tenants or alerts. River supplies the online statistics.
"""

from detectors.budget import BudgetDetector, BudgetLine, BudgetTerms
from detectors.burn import BurnParams
from detectors.busywork import BusyworkDetector, BusyworkFinding, BusyworkParams
from detectors.contract import Detector
from detectors.loop import LoopDetector, LoopFinding, LoopParams
from detectors.rate import RateBaseline, RateParams

__all__ = [
    "BudgetDetector",
    "BudgetLine",
    "BudgetTerms",
    "BurnParams",
    "BusyworkDetector",
    "BusyworkFinding",
    "BusyworkParams",
    "Detector",
    "LoopDetector",
    "LoopFinding",
    "LoopParams",
    "RateBaseline",
    "RateParams",
]
