"""What was rejected lately, and why: counted from the dead letters."""

from collections import deque

from streamer.kafka.dead_letters import DeadLetter

_MOST = 20_000


class Rejections:
    """The reasons of the dead letters of the last `history` seconds, at most 20,000 of them. Pure."""

    def __init__(self, history: float) -> None:
        self._history = history
        self._letters: deque[tuple[float, str]] = deque(maxlen=_MOST)

    def take(self, letter: DeadLetter) -> None:
        """Count a dead letter."""
        self._letters.append((letter.at.timestamp(), letter.reason))

    def by_reason(self, now: float) -> dict[str, int]:
        """Give how many there were of each reason, the most first."""
        while self._letters and self._letters[0][0] < now - self._history:
            self._letters.popleft()
        counts: dict[str, int] = {}
        for _, reason in self._letters:
            counts[reason] = counts.get(reason, 0) + 1
        return dict(sorted(counts.items(), key=lambda found: (-found[1], found[0])))
