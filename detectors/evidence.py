"""Evidence that adds up: the side of a CUSUM (Page, 1954) that its detectors share."""

from mypy_extensions import mypyc_attr


@mypyc_attr(acyclic=True)
class Evidence:
    """What has been seen of late that speaks for a change; never below 0, nor above twice what suffices.

    `enough` is what suffices, above 0: a logarithm of odds, or another sum of the detector's.
    """

    __slots__ = ("enough", "evidence")

    def __init__(self, enough: float) -> None:
        self.enough = enough
        #: How much of late speaks for a change, in the unit of `enough`.
        self.evidence = 0.0

    @property
    def abnormal(self) -> bool:
        """Whether the change is proven."""
        return self.evidence >= self.enough

    @property
    def calm(self) -> bool:
        """Whether nothing is left of the evidence."""
        return self.evidence <= 0

    @property
    def score(self) -> float:
        """From 0 to 1; 0.5 is where the evidence suffices."""
        return self.evidence / (self.evidence + self.enough)

    def settle(self) -> None:
        """Drop the evidence: what it spoke for is over, and known."""
        self.evidence = 0.0

    def _add(self, odds: float, most: float) -> None:
        """Add what one value says, for the change or against it: no more than `most` of what suffices."""
        enough = self.enough
        self.evidence = min(max(0.0, self.evidence + min(odds, enough * most)), 2 * enough)
