"""When a runner's next checkpoint is due: at once for what somebody waits for, else so rarely that it costs little."""

from collections.abc import Callable

from streamer.kafka.stage import LATER

# The share of its time that a worker spends on checkpoints that nobody waits for is one to so many at most, all its
# runners together.
_REST, _SHORT_REST = 5, 2
# Seconds. Readers of rollups wait.
_LONGEST_REST = 5.0


class Pace:
    """Pure: it is told the time, in seconds of any clock that does not jump.

    `runners` says how many share the worker's time, this one among them.

    >>> pace = Pace(1.0, now=0.0, runners=lambda: 4)
    >>> pace.due
    1.0
    >>> pace.ask(0.05, 0.2)
    >>> pace.due
    0.25
    >>> pace.begun()
    >>> pace.ran(0.1, ended=0.45)
    >>> pace.due
    2.45
    """

    def __init__(self, every: float, now: float, runners: Callable[[], int]) -> None:
        self._every, self._ended, self._took, self._runners = every, now, 0.0, runners
        self._asked = LATER
        # Of those that nobody waits for: when the next is due, and the last of the slices under way has to be.
        self._regular, self._last = now + every, LATER

    @property
    def due(self) -> float:
        """When the next checkpoint is due."""
        return min(self._asked, self._regular)

    @property
    def hurried(self) -> bool:
        """Tell whether something waits."""
        return self._asked < LATER

    def is_late(self, now: float) -> bool:
        """Tell whether what nobody waits for has been put off for long by what somebody waits for."""
        return now >= self._regular + self._every

    def ask(self, within: float, now: float) -> None:
        """Something waits that is to be committed `within` so many seconds."""
        if within < LATER:
            rest = _SHORT_REST * self._took if within > 0 else 0.0
            self._asked = min(self._asked, max(now + within, self._ended + rest))

    def begun(self) -> None:
        """Take note that what was asked for is under way; what comes now belongs to the next checkpoint."""
        self._asked = LATER

    def ran(self, work: float, ended: float, *, hurried: bool = False, more: bool = False) -> None:
        """Take note of a checkpoint that kept the runner busy for `work` seconds; waiting for the broker is none.

        A `hurried` one took down no slice of the rest; one after which there is `more` was not the last slice.
        """
        self._ended, self._took = ended, work
        if hurried:
            return
        self._last = min(self._last, ended + _LONGEST_REST) if more else LATER
        rest = min(_REST * self._runners() * work, _LONGEST_REST)
        self._regular = min(ended + rest, max(ended, self._last)) if more else ended + max(self._every, rest)
