"""Watches the rates and ratios of one tenant: what its open windows may hold, and what its closed ones mean."""

import math
from collections.abc import Iterator

from streamer.config import DetectConfig
from streamer.judges.book import Book
from streamer.judges.bursts import BurstJudge, values_of
from streamer.judges.cases import Cases
from streamer.judges.drifts import DriftJudge
from streamer.judges.fatigue import Fatigue
from streamer.judges.floor import Floor
from streamer.judges.horizons import Band
from streamer.judges.lapses import Lapses
from streamer.judges.models import Models, Registry
from streamer.judges.params import model_params
from streamer.judges.shapes import ShapeJudge
from streamer.judges.silences import SilenceJudge
from streamer.judges.surges import SurgeJudge
from streamer.judges.watch_state import WrittenWatch
from streamer.pricing.money import FEMTODOLLARS
from streamer.records import AnomalyKind, Usual
from streamer.windows.entity import TENANT, Entity
from streamer.windows.gauge import NO_CEILINGS, Ceilings, Gauge, ceiling_of
from streamer.windows.open import OpenWindow
from streamer.windows.shape import Shape
from streamer.windows.totals import Metric, Totals

_MINUTE = 60.0
# What is judged by how many windows had what.
_IN_WINDOWS: frozenset[AnomalyKind] = frozenset({"burst", "silence"})


class Watch:
    """All judges that learn from a tenant's windows, over the models that they share.

    `size` is a window's length in seconds; windows are numbered by how many lie between the epoch and them.
    """

    def __init__(self, tenant: str, config: DetectConfig, size: float, cases: Cases) -> None:
        self._config, self._size = config, size
        self._minute = max(1, round(_MINUTE / size))
        self._levels = frozenset(config.levels)
        self._book = Book(tenant, cases, Fatigue(config.fatigue))
        self._registry = Registry(tenant, model_params(config, size), config.max_series, self._forgotten)
        self._ceilings: dict[Entity, Ceilings] = {}
        self._end = 0.0
        floor = Floor(config, size, self._registry)
        self._surges = SurgeJudge(config.burst, size, floor, self._registry, self._book)
        self._bursts = BurstJudge(config.burst, size, floor, self._registry, self._book)
        self._shapes = ShapeJudge(config.ratio, size, floor, self._registry, self._book)
        self._silences = SilenceJudge(config.silence, size, self._registry, self._book)
        self._drifts = DriftJudge(config.drift, self._registry, self._book)
        self._lapses = Lapses(size, self._registry, self._book)

    def watches(self, entity: Entity) -> bool:
        """Tell whether the entity's level is judged."""
        return entity.level in self._levels

    def ceilings(self, entity: Entity) -> Ceilings | None:
        """Give the entity's ceilings for the windows now open, None if its level is not judged."""
        if entity.level not in self._levels:
            return None
        return self._ceilings.get(entity, NO_CEILINGS)

    def on_passed(self, gauges: list[Gauge], window: OpenWindow, at: float) -> None:
        """Judge what stands above its ceilings since the event at `at`."""
        self._bursts.on_passed(gauges, window, at)

    def on_close(self, entity: Entity, totals: Totals, shapes: list[Shape], window: OpenWindow) -> None:
        """Judge, then learn, one closed window of an entity."""
        gauge = window.gauge(entity)
        if gauge is None:
            return
        self._end = window.end
        number = self._number(window.start)
        models = self._registry.use(entity, number)
        self._shapes.meet(entity)
        self._silences.on_close(models, number, window.start)
        models.horizons.pass_to(number)
        self._surges.on_close(models, totals, shapes, number, window)
        told = self._bursts.on_close(models, gauge, number, window)
        self._shapes.on_close(models, totals, shapes, number, window)
        self._drifts.on_close(models, gauge, window)
        models.horizons.learn(number, values_of(gauge))
        if told:
            models.horizons.tell()
        self._aim(models)

    def usual(self, entity: Entity, start: float) -> dict[Metric, Usual]:
        """Give what the window from `start` is judged by, if it is the first of the entity's in its minute.

        To be asked before `on_close`. Baselines move slowly: each window need not be told of.
        """
        models, number = self._registry.get(entity), self._number(start)
        told = models is None or number // self._minute == models.horizons.last // self._minute
        return models.horizons.usual() if models and not told else {}

    def on_time(self, start: float, end: float) -> None:
        """Let the window from `start` to `end` be over for all that had nothing in it."""
        self._end = end
        self._surges.on_time(self._number(start), end)
        if self._book:
            self._bursts.on_silence(self._number(start), end)
            self._lapses.on_time(self._number(start), end)
        if self._silences.waits:
            self._silences.on_time(self._number(end))

    def forgive(self, series: str) -> bool:
        """Take what an open case is about for usual from now on; False where it is judged by its strength alone."""
        standing = self._book.standing.get(series)
        return standing is not None and self._registry.forgive(standing.scope, standing.name)

    def band(self, series: str) -> Band | None:
        """Give what is usual of the rate that an open case is about; None where it is about none."""
        standing = self._book.standing.get(series)
        models = self._registry.get(standing.entity) if standing else None
        return models.horizons.band(standing.name, standing.windows) if standing and models else None

    def waits_since(self) -> float:
        """Give the time (epoch seconds) from which on empty windows matter; infinite where they do not."""
        since = self._bursts.open_since()
        silent = self._end if self._silences.waits else math.inf
        return min(math.inf if since is None else since, silent, self._lapses.since)

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the entities that changed since the last call, by key, written down; None for dropped ones."""
        return self._registry.changes()

    def seasons(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the entities whose season changed since the last call, as `changes` does."""
        return self._registry.seasons()

    def snapshot(self) -> WrittenWatch:
        """Write down what is not an entity's own."""
        return WrittenWatch(
            self._book.snapshot(),
            self._silences.snapshot(),
            self._shapes.snapshot(),
            self._end,
            self._surges.snapshot(),
            self._book.fatigue.snapshot(),
        )

    def restore(
        self, written: WrittenWatch, parts: list[bytes], seasons: list[bytes], closed: float | None = None
    ) -> None:
        """Take up what `snapshot`, `changes` and `seasons` gave; to be called when the tenant's cases are restored.

        `closed` is for windows of another size than they had then: where the first of them begins. What counts in
        windows is learned anew, and what was said by it is over; so is what was said at levels that are not judged now.
        """
        self._registry.restore(parts, seasons, None if closed is None else self._number(closed))
        self._book.restore(written.standing)
        self._book.fatigue.restore(written.fatigue)
        self._shapes.restore([entity for entity in written.parents if self._judges_parts_of(entity)])
        self._end = written.end
        self._book.end(lambda case: not self.watches(case.entity), self._end)
        if closed is not None:
            self._book.end(lambda case: case.kind in _IN_WINDOWS, self._end)
            return
        self._silences.restore([(entity, last) for entity, last in written.waiting if self.watches(entity)])
        self._surges.restore(written.sessions)
        for models in self._registry:
            self._aim(models)

    def _judges_parts_of(self, whole: Entity) -> bool:
        return "agent" in self._levels or (whole == TENANT and "use_case" in self._levels)

    def _number(self, start: float) -> int:
        return round(start / self._size)

    def _aim(self, models: Models) -> None:
        """Take the ceilings of the next window from the baselines."""
        if not self._config.burst.enabled:
            return
        ceilings = self._ceilings.get(models.entity) or self._ceilings.setdefault(models.entity, Ceilings())
        for metric, baseline in models.horizons.baselines[0].items():
            ceiling = baseline.ceiling
            setattr(ceilings, metric, ceiling_of(ceiling * FEMTODOLLARS if metric == "usd" else ceiling))

    def _forgotten(self, entity: Entity) -> None:
        self._ceilings.pop(entity, None)
        self._silences.forget(entity)
        self._shapes.forget(entity)
        self._book.forget(entity, self._end)
