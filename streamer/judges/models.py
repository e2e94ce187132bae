"""What is learned of each entity of a tenant, kept within a bound, and written down where it changed."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence

import msgspec

from detectors import (
    DriftDetector,
    DriftParams,
    HoursOfWeek,
    RatioBaseline,
    SilenceBaseline,
    SilenceParams,
    SurgeBaseline,
    SurgeParams,
)
from streamer.judges.horizons import Horizon, Horizons
from streamer.judges.ratio_state import RatiosConfig, RatiosState
from streamer.judges.ratios import Ratios, same
from streamer.judges.relation import related, scope_of
from streamer.judges.slots import HorizonsState
from streamer.records import Scope
from streamer.windows.entity import Entity

#: What the series of arrivals is called.
SESSIONS = "sessions"
_HOUR = 3600.0
# A habit is not the same to the request each time.
_ALIKE = 1.5


class ModelParams(msgspec.Struct, frozen=True):
    """The parameters that the models of all entities share."""

    horizons: Sequence[Horizon]
    silence: SilenceParams
    surge: SurgeParams
    drift: DriftParams
    ratios: RatiosConfig


class Volume(msgspec.Struct, array_like=True):
    """Requests in the slice and in the hour that are under way, and in the slice before; times in epoch seconds.

    Of slices the dollars, too.
    """

    begin: float = 0.0
    slice_start: float = 0.0
    slice_sum: float = 0.0
    hour_start: float = 0.0
    hour_sum: float = 0.0
    last_start: float = 0.0
    last_sum: float = 0.0
    slice_usd: float = 0.0
    last_usd: float = 0.0


class _Written(msgspec.Struct, array_like=True):
    """One entity's models, and when they were last used (a count)."""

    entity: Entity
    turn: int
    horizons: HorizonsState
    ratios: RatiosState
    volume: Volume
    silence: bytes
    drift: bytes
    share: bytes
    surge: bytes


class Models:
    """All models of one entity."""

    __slots__ = ("drift", "entity", "horizons", "ratios", "season", "share", "silence", "surge", "turn", "volume")

    def __init__(self, entity: Entity, params: ModelParams, number: int) -> None:
        self.entity, self.turn = entity, 0
        self.horizons = Horizons(params.horizons, number - 1)
        self.ratios = Ratios(params.ratios)
        self.volume = Volume()
        self.silence = SilenceBaseline(params.silence)
        #: How often sessions begin.
        self.surge = SurgeBaseline(params.surge)
        #: The volume against the same hours of other days.
        self.drift = DriftDetector(params.drift)
        #: The volume against the rest of the tenant's.
        self.share = RatioBaseline(params.ratios.share)
        #: Made with the first hour that is over.
        self.season: HoursOfWeek | None = None

    def read(self, written: _Written, sized: bool) -> None:
        """Take up what was written down; where windows are not `sized` as they were, all but what counts in them."""
        self.turn, self.volume = written.turn, written.volume
        self.ratios.read(written.ratios)
        self.drift.restore(written.drift)
        self.share.restore(written.share)
        if not sized:
            self.ratios.judged = self.horizons.last
            return
        self.horizons.read(written.horizons)
        self.silence.restore(written.silence)
        if written.surge:  # a state of before there was one knows nothing of it
            self.surge.restore(written.surge)

    def forgive(self, name: str) -> bool:
        """Take a ratio, the volume ("drift") or the rate of sessions as it is now for usual; False if nothing is."""
        found: list[DriftDetector | RatioBaseline | SurgeBaseline] = []
        found += [baseline for ratio, baseline in self.ratios.baselines.items() if same(ratio, name)]
        found += [self.drift, self.share] if name == "drift" else []
        found += [self.surge] if name == SESSIONS else []
        forgiven = [model for model in found if not model.calm]
        for model in forgiven:
            model.forgive()
        return bool(forgiven)

    def is_habit(self, at: float, requests: float) -> bool:
        """Tell whether what came in the hour of `at`, and `requests` more, is what comes there time and again."""
        volume, season, came = self.volume, self.season, self.volume.hour_sum
        if season and volume.hour_start // _HOUR != at // _HOUR:
            # The hour before is learned with the next window that closes.
            season, came = season.after(volume.hour_start, came), 0.0
        return season is not None and came + requests <= _ALIKE * season.habit(at)

    def settle(self) -> None:
        """Drop the evidence of all that is judged in slices."""
        for model in (*self.ratios.baselines.values(), self.ratios.combination, self.drift, self.share):
            model.settle()


class Registry:
    """The models of a tenant's entities; past `most` entities the least recently active is forgotten.

    `forgotten` is told of each that is.
    """

    def __init__(self, tenant: str, params: ModelParams, most: int, forgotten: Callable[[Entity], None]) -> None:
        self._tenant, self._params, self._most, self._forgotten = tenant, params, most, forgotten
        self._models: OrderedDict[Entity, Models] = OrderedDict()
        self._changed: set[Entity] = set()
        self._seasons: set[Entity] = set()
        self._turn = 0

    def __iter__(self) -> Iterator[Models]:
        return iter(self._models.values())

    def get(self, entity: Entity) -> Models | None:
        """Give an entity's models, if it has any."""
        return self._models.get(entity)

    def use(self, entity: Entity, number: int) -> Models:
        """Give an entity's models, which window `number` changes; makes them for a new one."""
        models = self._models.get(entity) or self._enter(entity, number)
        self._turn += 1
        models.turn = self._turn
        self._models.move_to_end(entity)
        self._changed.add(entity)
        return models

    def forgive(self, scope: Scope, name: str) -> bool:
        """Have all models in `scope`, or around it, take what they are called for the usual; False if none could."""
        forgiven = {m.entity for m in self if related(scope, scope_of(m.entity)) and m.forgive(name)}
        self._changed |= forgiven
        return bool(forgiven)

    def settle(self, entity: Entity) -> None:
        """Drop what has been weighed of an entity: it is over."""
        if models := self._models.get(entity):
            models.settle()
            self._changed.add(entity)

    def learn_hour(self, models: Models, start: float, value: float) -> None:
        """Learn what the hour from `start` on held."""
        models.season = models.season or HoursOfWeek()
        models.season.learn_one(start, value)
        self._seasons.add(models.entity)

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the entities that changed since the last call, by key, written down; None for dropped ones."""
        for entity in sorted(self._changed):
            models = self._models.get(entity)
            yield entity.key(self._tenant), self._written(models) if models else None
        self._changed.clear()

    def seasons(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the seasons that changed since the last call, as `changes` does."""
        for entity in sorted(self._seasons):
            models = self._models.get(entity)
            season = models.season if models else None
            yield entity.key(self._tenant), msgspec.msgpack.encode((entity, season.snapshot())) if season else None
        self._seasons.clear()

    def restore(self, parts: list[bytes], seasons: list[bytes], begin: int | None = None) -> None:
        """Take up what `changes` and `seasons` gave.

        `begin` is for windows of another size than they had then: the number of the first from which on to learn.
        """
        found = [msgspec.msgpack.decode(part, type=_Written) for part in parts]
        for written in sorted(found, key=lambda written: written.turn):
            models = self._models[written.entity] = Models(written.entity, self._params, begin or 0)
            models.read(written, sized=begin is None)
            self._turn = models.turn
            if begin is not None:
                self._changed.add(written.entity)
        for part in seasons:
            entity, state = msgspec.msgpack.decode(part, type=tuple[Entity, bytes])
            models = self._models[entity]
            models.season = HoursOfWeek()
            models.season.restore(state)

    def _enter(self, entity: Entity, number: int) -> Models:
        models = self._models[entity] = Models(entity, self._params, number)
        if len(self._models) > self._most:
            oldest, dropped = self._models.popitem(last=False)
            self._changed.add(oldest)
            if dropped.season:
                self._seasons.add(oldest)
            self._forgotten(oldest)
        return models

    def _written(self, models: Models) -> bytes:
        return msgspec.msgpack.encode(
            _Written(
                models.entity,
                models.turn,
                models.horizons.written(),
                models.ratios.written(),
                models.volume,
                models.silence.snapshot(),
                models.drift.snapshot(),
                models.share.snapshot(),
                models.surge.snapshot(),
            )
        )
