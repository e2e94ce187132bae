"""Growing pauses between tries, with chance in them, so that what failed together does not come again together."""

from collections.abc import Callable


class Backoff:
    """The pauses of many, by name, from `first` to `longest` seconds.

    `chance` gives numbers from 0 to 1: a pause is between its half and the whole.

    What a receiver asks for is kept to the full.
    """

    def __init__(self, chance: Callable[[], float], first: float = 1.0, longest: float = 60.0) -> None:
        self._chance, self._first, self._longest = chance, first, longest
        self._until: dict[str, tuple[float, float]] = {}

    def may_go(self, name: str, now: float) -> bool:
        """Tell whether it may be tried at `now` (epoch seconds)."""
        return name not in self._until or now >= self._until[name][0]

    def failed(self, name: str, now: float, asked: float | None = None) -> None:
        """Let a pause pass, twice the last one; failures within a pause are of tries that began before it."""
        until, pause = self._until.get(name, (now, self._first / 2))
        if now < until and asked is None:
            return
        pause = min(pause * 2, self._longest)
        wait = pause * (0.5 + 0.5 * self._chance())
        self._until[name] = (max(now + max(wait, asked or 0.0), until), pause)

    def worked(self, name: str) -> None:
        """Begin anew with the shortest pause."""
        self._until.pop(name, None)

    def __contains__(self, name: object) -> bool:
        return name in self._until
