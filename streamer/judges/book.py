"""The cases that stand open about a tenant's rates and ratios: one a cause, however many series show it."""

import math
from collections.abc import Callable, Iterator
from decimal import Decimal

import msgspec

from streamer.judges.cases import Cases, Reading
from streamer.judges.fatigue import Fatigue
from streamer.judges.models import SESSIONS
from streamer.judges.ratio_state import RATIOS, TOLD_AS_SIZE
from streamer.judges.relation import common, related
from streamer.records import AnomalyKind, Scope
from streamer.windows.entity import Entity

# How often something comes, and how large or dear each is; dollars and tokens may be either.
_OFTEN = frozenset({SESSIONS, "drift", "requests", "steps", "tool_calls"})
_LARGE = frozenset({*RATIOS, "combination"})
# How many times as large as when its growth was told a request has become where that is news.
_OUTGROWN = 2.0
# What shows this soon after the same kind of case in another part of the tenant has the same cause.
_TOGETHER = 120.0


class Standing(msgspec.Struct, array_like=True):
    """An open case: what is judged, where its cause lies, and for how many windows it has been quiet.

    `name` is the metric or the ratio; `windows` is the horizon over which it was found. `observed` is what was found
    when it was opened, `expected` what was usual then, and `ceiling` where that ended, where it has one. `usual_usd` is
    how many dollars a window, empty or not, usually held before.
    """

    series: str
    kind: AnomalyKind
    entity: Entity
    name: str
    scope: Scope
    since: float
    windows: int = 1
    quiet: int = 0
    observed: float = 0.0
    expected: float = 0.0
    ceiling: float = 0.0
    usual_usd: float = math.inf

    def usd_above(self, spent: float, usual: float, windows: float = 1.0) -> float:
        """Give the dollars above normal of so many windows. What is `usual` by now may be what the case has made it."""
        return max(0.0, spent - min(self.usual_usd, usual) * windows)


class Book:
    """Opens a case where none stands yet that explains the same thing."""

    def __init__(self, tenant: str, cases: Cases, fatigue: Fatigue) -> None:
        self._tenant, self._cases = tenant, cases
        #: What the tenant's earlier cases ask of the next.
        self.fatigue = fatigue
        #: By series.
        self.standing: dict[str, Standing] = {}

    def __bool__(self) -> bool:
        return bool(self.standing)

    def series(self, entity: Entity, name: str) -> str:
        """Name the series that a case is about."""
        return f"{entity.key(self._tenant)}#{name}"

    def explains(self, kind: AnomalyKind, name: str, scope: Scope, observed: float = 0.0) -> bool:
        """Tell whether what happens in `scope`, of which so much is observed, is part of an open case, or holds one.

        Silence explains nothing but silence, and nothing else explains it: a part that was given up stays silent. That
        each is larger or dearer does not explain that more come; but what comes in a burst may be of another kind. What
        grows slowly, for hours, explains nothing that is sudden: neither do more that come anything but themselves, nor
        larger ones that they are twice as large as they were when that was told.
        """
        silent = kind == "silence"
        standing = (case for case in self.standing.values() if (case.kind == "silence") == silent)
        if any(related(case.scope, scope) and not _is_news(case, name, observed) for case in standing):
            return True
        return not silent and any(related(case.scope, scope) for case in self._cases.of_kind("loop"))

    def open(self, found: Standing, reading: Reading) -> bool:
        """Open a case, unless one stands that explains it; False if it is to be found again when it is stronger."""
        explained = self.explains(found.kind, found.name, found.scope, reading.observed)
        if found.series in self._cases or explained or self._widened(found):
            return True
        if not self.fatigue.allows(found.kind, reading.score, found.since):
            return False
        # An untold case goes on being judged, but of a silence that stands nothing more is said.
        if found.kind == "silence" and not self._cases.allows(found.series, found.scope, reading.score, found.since):
            return False
        self._cases.open(found.kind, found.series, found.scope, found.since, reading)
        found.observed, found.expected = float(reading.observed), float(reading.expected)
        found.ceiling = float(reading.ceiling)
        self.standing[found.series] = found
        if not self._cases.is_untold(found.series):
            self.fatigue.tell(found.kind, found.since)
        return True

    def update(self, standing: Standing, at: float, reading: Reading) -> None:
        """Note how a case goes on."""
        standing.quiet = 0
        self._cases.update(standing.series, at, reading)

    def close(self, standing: Standing, at: float) -> None:
        """Close a case: it is over since `at`."""
        del self.standing[standing.series]
        self._cases.close(standing.series, at)

    def of(self, entity: Entity, *kinds: AnomalyKind) -> list[Standing]:
        """Give the open cases about an entity."""
        return [s for s in self.standing.values() if s.entity == entity and s.kind in kinds]

    def excess(self, standing: Standing) -> Decimal:
        """Give the dollars above normal that a case has cost so far."""
        return self._cases.excess(standing.series)

    def forget(self, entity: Entity, at: float) -> None:
        """Close what is open about an entity that is no longer followed."""
        for standing in [s for s in self.standing.values() if s.entity == entity]:
            self.close(standing, at)

    def end(self, orphaned: Callable[[Standing], bool], at: float) -> None:
        """Close what nobody judges any more."""
        for standing in filter(orphaned, self.snapshot()):
            self.close(standing, at)

    def snapshot(self) -> list[Standing]:
        """Give the open cases, in order of their series."""
        return [self.standing[series] for series in sorted(self.standing)]

    def restore(self, snapshot: list[Standing]) -> None:
        """Take up what `snapshot` gave."""
        self.standing = {standing.series: standing for standing in snapshot if standing.series in self._cases}

    def _widened(self, found: Standing) -> bool:
        """Let a young case of the same kind be about more, where there is one."""
        for standing in self._young(found):
            standing.scope = common(standing.scope, found.scope)
            self._cases.widen(standing.series, found.since, standing.scope)
            return True
        return False

    def _young(self, found: Standing) -> Iterator[Standing]:
        told = (s for s in self.snapshot() if s.kind == found.kind and not self._cases.is_untold(s.series))
        return (s for s in told if found.since - s.since <= _TOGETHER)


def _is_news(case: Standing, name: str, observed: float) -> bool:
    """Tell whether what is found by `name` is another thing than what an open case tells of."""
    if case.name == "drift":
        return name != "drift"
    if name in _OFTEN:
        return case.name in _LARGE
    return case.name == "growth" and name in TOLD_AS_SIZE and observed >= _OUTGROWN * case.observed
