"""Tidegate's detectors: numbers and times in, verdicts with a reason out.

Pure: no Kafka, no clock, no knowledge of tenants or alerts. River supplies the online statistics.
"""

from detectors.budget import BudgetDetector, BudgetLine
from detectors.contract import Detector
from detectors.drift import DriftDetector, DriftParams
from detectors.loop import LoopDetector, LoopFinding, LoopParams
from detectors.rate import RateBaseline, RateParams
from detectors.ratio import RatioBaseline, RatioParams
from detectors.season import Season
from detectors.silence import SilenceBaseline, SilenceParams

__all__ = [
    "BudgetDetector",
    "BudgetLine",
    "Detector",
    "DriftDetector",
    "DriftParams",
    "LoopDetector",
    "LoopFinding",
    "LoopParams",
    "RateBaseline",
    "RateParams",
    "RatioBaseline",
    "RatioParams",
    "Season",
    "SilenceBaseline",
    "SilenceParams",
]
