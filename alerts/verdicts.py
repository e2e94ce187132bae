"""What was decided of each incident last: what is ready to be told, and how often each reason was found."""

from collections import Counter
from collections.abc import Iterator

from alerts.decide import BECAUSE, Decision, Reason


class Verdicts:
    """Keeps the reason of each incident, so that one that goes on is counted once."""

    def __init__(self) -> None:
        self._ready: set[str] = set()
        self._reasons: dict[str, Reason] = {}
        self._decided: Counter[Reason] = Counter()

    def note(self, incident: str, decision: Decision) -> bool:
        """Note a decision; True if it is not ready any more, though it was."""
        if self._reasons.get(incident) != decision.reason:
            self._reasons[incident] = decision.reason
            self._decided[decision.reason] += 1
        was_ready = incident in self._ready
        if decision.reason in BECAUSE:
            self._ready.add(incident)
            return False
        self._ready.discard(incident)
        return was_ready

    def ready(self) -> list[str]:
        """List what is to be told."""
        return list(self._ready)

    def with_reason(self, *reasons: Reason) -> Iterator[str]:
        """Give the incidents of which one of these was decided last."""
        return (name for name, reason in self._reasons.items() if reason in reasons)

    def begin_anew(self, incident: str) -> None:
        """Count the next reason, whatever it is: something was told."""
        self._reasons.pop(incident, None)

    def drop(self, incident: str) -> None:
        """Forget an incident."""
        self._reasons.pop(incident, None)
        self._ready.discard(incident)

    def taken(self) -> Counter[Reason]:
        """Give how often each reason was decided upon since the last call."""
        found, self._decided = self._decided, Counter()
        return found
