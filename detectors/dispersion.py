"""How much more than chance a count swings, over several spans at once."""

from array import array
from dataclasses import dataclass
from struct import Struct

from mypy_extensions import mypyc_attr


@dataclass(frozen=True)
class DispersionParams:
    """What is summed up and how it is remembered; lengths are numbers of windows.

    `spans`: what is summed up together. `prior` is taken for usual before any is learned, with the weight of
    `prior_weight` windows, and of `prior_spans` spans at least: the square of a single deviation says little of what
    is usual. `cap` is how many times its expectation a span counts at most, and `slack` is added to that.
    """

    spans: tuple[int, ...] = (6, 30, 180)
    half_life: float = 1080.0
    prior: float = 2.0
    prior_weight: float = 60.0
    prior_spans: float = 4.0
    least: float = 1.4
    cap: float = 5.0
    slack: float = 3.0


@mypyc_attr(acyclic=True)
class Dispersion:
    """The index of dispersion of a count (Cox and Lewis, 1966): the mean of (n - m)^2 / m over its expectation m.

    It is 1 for independent arrivals. That of longer spans is larger where the rate itself swings over minutes, and so
    is that of what comes in clusters; the largest of all is what evidence has to be divided by.

    >>> even = Dispersion(DispersionParams(spans=(2, 4), prior_weight=2))
    >>> for _ in range(400):
    ...     even.learn_one(10.0, 10.0)
    >>> even.value == even.params.least
    True
    """

    __slots__ = ("_state", "params", "value")

    def __init__(self, params: DispersionParams) -> None:
        self.params = params
        # For each span: windows so far, their sum, what was expected of them, the index, how often it was learned.
        self._state = array("d", [0.0, 0.0, 0.0, params.prior, 0.0] * len(params.spans))
        #: The largest index of all spans.
        self.value = max(params.least, params.prior)

    def over(self, windows: float) -> float:
        """Give the index for what lasts so many windows: what swings over longer spans has no part in it."""
        largest = self.params.least
        for span, index in zip(self.params.spans, self._state[3::_SIZE], strict=True):
            largest = max(largest, index)
            if windows <= span:
                break
        return largest

    def learn_one(self, count: float, expected: float) -> None:
        """Learn one window: what it held, and what was expected of it before."""
        state = self._state
        for place, span in enumerate(self.params.spans):
            at = _SIZE * place
            state[at] += 1
            state[at + 1] += count
            state[at + 2] += expected
            if state[at] >= span:
                self._turn(at, span, 1)

    def pass_over(self, windows: int, expected: float) -> None:
        """Learn so many windows in a row that held nothing, where each was expected to hold the same."""
        state = self._state
        for place, span in enumerate(self.params.spans):
            at = _SIZE * place
            first = min(windows, span - int(state[at]))
            state[at] += first
            state[at + 2] += first * expected
            if state[at] >= span:
                self._turn(at, span, 1)
            whole, left = divmod(windows - first, span)
            if whole:
                state[at + 2] = span * expected
                self._turn(at, span, whole)
            state[at] += left
            state[at + 2] += left * expected

    def snapshot(self) -> bytes:
        """Write the whole state down."""
        return self._form.pack(*self._state)

    def restore(self, snapshot: bytes) -> None:
        """Take up the state that `snapshot` wrote, by one of as many spans."""
        self._state = array("d", self._form.unpack(snapshot))
        self._aim()

    @property
    def size(self) -> int:
        """How many bytes a snapshot has."""
        return self._form.size

    @property
    def _form(self) -> Struct:
        return Struct(f"<{len(self._state)}d")

    def _turn(self, at: int, span: int, times: int) -> None:
        """Learn a span that is full, so many times over, and begin another."""
        params, state = self.params, self._state
        expected = state[at + 2]
        if expected > 0:
            above = min(state[at + 1] - expected, params.cap * expected + params.slack)
            index = above * above / max(expected, _LEAST_EXPECTED)
            prior = max(params.prior_weight / span, params.prior_spans)
            fading = max(1 - 0.5 ** (span / params.half_life), 1 / (state[at + 4] + prior + 1))
            state[at + 3] = index + (state[at + 3] - index) * (1 - fading) ** times
            state[at + 4] += times
        state[at] = state[at + 1] = state[at + 2] = 0.0
        self._aim()

    def _aim(self) -> None:
        self.value = max(self.params.least, *self._state[3::_SIZE])


# Numbers a span.
_SIZE = 5
# Of less, a single arrival would be a large deviation.
_LEAST_EXPECTED = 0.5
