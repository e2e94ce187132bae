"""An agent, or a few, going round in circles, seen at the call or step that proves it."""

from detectors.loop.detector import LoopDetector
from detectors.loop.findings import Circled, Grown, LoopFinding, Repeated, Ringed, Varied
from detectors.loop.params import LoopParams
from detectors.loop.state import ASKED, MADE

__all__ = [
    "ASKED",
    "MADE",
    "Circled",
    "Grown",
    "LoopDetector",
    "LoopFinding",
    "LoopParams",
    "Repeated",
    "Ringed",
    "Varied",
]
