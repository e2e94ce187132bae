"""A context that grows with each step while nothing comes out."""

from mypy_extensions import mypyc_attr

from detectors.loop.findings import Grown
from detectors.loop.params import LoopParams
from detectors.loop.state import WrittenGrowth


@mypyc_attr(acyclic=True)
class Growth:
    """The last steps of a session, as far as each read more than the one before and wrote next to nothing.

    A step that reads as much as the one before (a retry) or whose tokens are unknown (0) neither counts nor ends it.
    """

    __slots__ = ("_first", "_last", "_params", "_since", "_spent", "_steps")

    def __init__(self, params: LoopParams) -> None:
        self._params = params
        self._steps = self._first = self._last = self._spent = 0
        self._since = 0.0

    def forget(self) -> None:
        """Begin anew: there is progress, or there may be."""
        if self._steps:
            self._steps = self._first = self._last = self._spent = 0
            self._since = 0.0

    def observe(self, taken: int, given: int, at: float, spent: int) -> Grown | None:
        """Take in a step that read `taken` and wrote `given` tokens; tells what it proves."""
        if given > self._params.small_output:
            self.forget()
        elif taken > self._last > 0:
            self._steps, self._last = self._steps + 1, taken
            return self._proven()
        elif taken and (taken < self._last or not self._last):
            self._steps, self._first, self._last = 1, taken, taken
            self._since, self._spent = at, spent
        return None

    def written(self) -> WrittenGrowth:
        """Write the whole state down."""
        return self._steps, self._first, self._last, self._since, str(self._spent)

    def read(self, written: WrittenGrowth) -> None:
        """Take up what `written` gave."""
        self._steps, self._first, self._last, self._since, spent = written
        self._spent = int(spent)

    def _proven(self) -> Grown | None:
        if self._steps < self._params.growth_steps or self._last < self._params.growth_factor * self._first:
            return None
        return Grown(
            length=self._steps, since=self._since, spent_before=self._spent, first=self._first, last=self._last
        )
