"""Tidegate's detectors: numbers and times in, verdicts with a reason out.

Pure: no Kafka, no clock, no knowledge of tenants or alerts. River supplies the online statistics.
"""

from detectors.budget import BudgetDetector, BudgetLine, BudgetTerms
from detectors.burn import BurnParams
from detectors.busywork import BusyworkDetector, BusyworkFinding, BusyworkParams
from detectors.combination import CombinationBaseline, CombinationParams
from detectors.contract import Detector
from detectors.dispersion import Dispersion, DispersionParams
from detectors.drift import DriftDetector, DriftParams
from detectors.hours import HoursOfWeek
from detectors.loop import ASKED, MADE, Circled, Grown, LoopDetector, LoopFinding, LoopParams, Repeated, Ringed, Varied
from detectors.outlier import OutlierParams, OutlierScorer
from detectors.rate import RateBaseline, RateParams
from detectors.ratio import RatioBaseline, RatioParams
from detectors.silence import SilenceBaseline, SilenceParams
from detectors.surge import SurgeBaseline, SurgeParams

__all__ = [
    "ASKED",
    "MADE",
    "BudgetDetector",
    "BudgetLine",
    "BudgetTerms",
    "BurnParams",
    "BusyworkDetector",
    "BusyworkFinding",
    "BusyworkParams",
    "Circled",
    "CombinationBaseline",
    "CombinationParams",
    "Detector",
    "Dispersion",
    "DispersionParams",
    "DriftDetector",
    "DriftParams",
    "Grown",
    "HoursOfWeek",
    "LoopDetector",
    "LoopFinding",
    "LoopParams",
    "OutlierParams",
    "OutlierScorer",
    "RateBaseline",
    "RateParams",
    "RatioBaseline",
    "RatioParams",
    "Repeated",
    "Ringed",
    "SilenceBaseline",
    "SilenceParams",
    "SurgeBaseline",
    "SurgeParams",
    "Varied",
]
