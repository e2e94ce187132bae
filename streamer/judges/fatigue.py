"""Alarm fatigue: of a tenant that was alarmed often of late, the next alarm must be stronger."""

from collections.abc import Sequence

from streamer.config import FatigueConfig
from streamer.judges.policies import Tolerance, strength
from streamer.records import AnomalyKind

# Kinds that a tenant's own swings can feign. Loops and budgets are exact, and a silence that was proven stays proven.
_BY_CHANCE: frozenset[AnomalyKind] = frozenset({"burst", "drift", "bloat", "mix"})


class Fatigue:
    """How strong the next anomaly of each kind must be in one tenant, in times of what is abnormal by itself.

    Each that is told raises it by a step, up to a bound, and half of the rise is left after a half-life. Parts of a
    tenant swing alike: what one of them has shown for nothing, the others will.

    >>> fatigue = Fatigue(FatigueConfig(step=0.5, most=1.8, half_life_seconds=3600))
    >>> fatigue.allows("burst", score=0.5, at=0.0)
    True
    >>> fatigue.tell("burst", 0.0)
    >>> fatigue.allows("burst", 0.55, 1.0), fatigue.allows("burst", 0.61, 1.0), fatigue.allows("burst", 0.55, 7200.0)
    (False, True, True)
    """

    def __init__(self, config: FatigueConfig) -> None:
        self._config = config
        self._asked: dict[AnomalyKind, Tolerance] = {}

    def allows(self, kind: AnomalyKind, score: float, at: float) -> bool:
        """Tell whether an anomaly of `score` (0 to 1, 0.5 is where one begins) is strong enough at `at`."""
        asked = self._asked.get(kind)
        return asked is None or strength(score) >= asked.now(at)

    def tell(self, kind: AnomalyKind, at: float) -> None:
        """Note that one was told at `at` (epoch seconds)."""
        config = self._config
        if kind in _BY_CHANCE:
            asked = min(config.most, self._now(kind, at) + config.step)
            self._asked[kind] = Tolerance(asked, at, config.half_life_seconds)

    def snapshot(self) -> list[tuple[AnomalyKind, Tolerance]]:
        """Write everything down."""
        return sorted(self._asked.items())

    def restore(self, written: Sequence[tuple[AnomalyKind, Tolerance]]) -> None:
        """Take up what `snapshot` gave."""
        self._asked = dict(written)

    def _now(self, kind: AnomalyKind, at: float) -> float:
        asked = self._asked.get(kind)
        return asked.now(at) if asked else 1.0
