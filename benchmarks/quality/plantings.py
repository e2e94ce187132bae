"""What is planted: where, when, how strongly, and what it does to the stream."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.quality.profiles import Stream
from streamer.events.usage import UsageEvent
from streamer.records import AnomalyKind

# Of a gradual burst, the part of its time that it takes to grow.
_ONSET = 1 / 3


@dataclass(frozen=True, slots=True)
class Planting:
    """One label. Times in epoch seconds; empty parts of the scope mean all of it; `factor` 1 where there is none.

    `marks` are the times of a loop's calls. `certain` is when chance no longer explains a silence, a sudden burst or
    bloat, and when a budget's soft line is crossed; 0 where nobody knows. `also` are kinds that name it as rightly as
    its own.
    """

    kind: AnomalyKind
    variant: str
    factor: float
    tenant: str
    start: float
    end: float
    use_case: str = ""
    agent: str = ""
    session: str = ""
    certain: float = 0.0
    also: frozenset[AnomalyKind] = frozenset()
    marks: tuple[float, ...] = field(default=(), repr=False)

    @property
    def strength(self) -> str:
        """How it is shown.

        >>> Planting("burst", "step", 5, "acme", 0, 60).strength
        'step 5x'
        """
        return self.variant if self.factor == 1 else f"{self.variant} {self.factor:g}x"

    def at(self, moment: float) -> float:
        """Give the factor at a moment, 1 outside the planting."""
        if not self.start <= moment < self.end:
            return 1.0
        done = (moment - self.start) / (self.end - self.start)
        if self.kind == "drift":
            return float(self.factor**done)
        if self.variant == "gradual":
            return 1 + (self.factor - 1) * min(1.0, done / _ONSET)
        return self.factor

    def concerns(self, part: Stream | UsageEvent) -> bool:
        """Tell whether a stream, or an event of one, lies in the scope."""
        return self.use_case in ("", part.use_case) and self.agent in ("", part.agent)

    def holds(self, event: UsageEvent) -> bool:
        """Tell whether an event was sent while it lasts, in its scope."""
        return self.concerns(event) and self.start <= event.time.timestamp() < self.end


class Conditions:
    """What the plantings of a tenant make of one of its streams, by time."""

    def __init__(self, stream: Stream, plantings: Sequence[Planting]) -> None:
        self._stream = stream
        self._plantings = [planting for planting in plantings if planting.concerns(stream)]

    def more(self) -> list[Planting]:
        """Give the plantings that add sessions, by their factor."""
        return [p for p in self._plantings if p.kind == "burst" or (p.kind == "drift" and p.variant == "requests")]

    def tokens(self, at: float) -> float:
        """Give the factor of the tokens a request."""
        factor = 1.0
        for planting in self._plantings:
            if planting.kind == "bloat" or (planting.kind == "drift" and planting.variant == "tokens"):
                factor *= planting.at(at)
        return factor

    def dear(self, at: float) -> float:
        """Give the share of the expensive model."""
        return 0.8 if self._on("mix", "model", at) else self._stream.dear

    def cached(self, at: float) -> float:
        """Give the mean share of the cache."""
        return 0.025 if self._on("mix", "cache", at) else self._stream.cached

    def evaluates_all(self, at: float) -> bool:
        """Tell whether everything is evaluated, by the expensive model."""
        return self._on("mix", "evaluation", at)

    def outcomes(self, at: float) -> float:
        """Give the share of the sessions that have an outcome."""
        if self._on("busywork", "none", at):
            return 0.0
        return self._stream.outcomes * (0.1 if self._on("busywork", "tenth", at) else 1.0)

    def silent(self, at: float) -> bool:
        """Tell whether nothing is heard."""
        return self._on("silence", "", at)

    def _on(self, kind: AnomalyKind, variant: str, at: float) -> bool:
        return any(p.kind == kind and variant in ("", p.variant) and p.start <= at < p.end for p in self._plantings)
