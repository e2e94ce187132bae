"""When those who look are told of what has changed: all in one round, so that one answer serves all who then ask."""

from math import inf


class Rounds:
    """Pure: it is told the time, in seconds of any clock that does not jump.

    News are gathered for `pause` seconds after a round, and where nothing of them presses for `calm`.

    >>> rounds = Rounds(pause=0.5, calm=1.0)
    >>> rounds.ask(pressing=False, now=10.0), rounds.ask(pressing=False, now=10.1)
    (10.0, 10.0)
    >>> rounds.begun(10.0)
    >>> rounds.ask(pressing=False, now=10.2), rounds.ask(pressing=True, now=10.3)
    (11.0, 10.5)
    """

    def __init__(self, pause: float, calm: float) -> None:
        self._pause, self._calm = pause, max(pause, calm)
        self._last, self._due = -inf, inf

    def ask(self, *, pressing: bool, now: float) -> float:
        """Give when the next round is, where there is news at `now`."""
        rest = self._pause if pressing else self._calm
        self._due = min(self._due, max(now, self._last + rest))
        return self._due

    def begun(self, now: float) -> None:
        """Take note that a round begins."""
        self._last, self._due = now, inf
