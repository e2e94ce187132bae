"""Judges outcomes: what is spent without any, or with too few for it, where outcome events are sent."""

import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from decimal import Decimal

import msgspec

from detectors import BusyworkDetector, BusyworkFinding, BusyworkParams
from streamer.config import BusyworkConfig
from streamer.judges.cases import HOUR, Cases, Reading
from streamer.pricing.money import ZERO, dollars
from streamer.records import Scope
from streamer.windows.entity import TENANT, Entity
from streamer.windows.totals import Totals


class _Written(msgspec.Struct, array_like=True):
    """One entity: when it was last used (a count), `_Followed`'s fields, amounts as text where they may be large.

    `slice` is how many seconds a slice had; 0 in states of before it was written down.
    """

    entity: Entity
    turn: int
    number: int
    since: int
    tokens: str
    usd: str
    outcomes: int
    by_tokens: bytes
    by_usd: bytes
    slice: float = 0.0


class _Followed:
    """One entity that sends outcomes: the open slice's number and amounts, and the detectors, by tokens and by dollars.

    `since` is the slice in which what its open case is about began.
    """

    __slots__ = ("by_tokens", "by_usd", "number", "outcomes", "since", "tokens", "turn", "usd")

    def __init__(self, params: BusyworkParams, number: int) -> None:
        self.number = number
        self.turn = self.since = self.tokens = self.usd = self.outcomes = 0
        self.by_tokens, self.by_usd = BusyworkDetector(params), BusyworkDetector(params)

    def add(self, totals: Totals) -> None:
        self.tokens += totals.tokens
        self.usd += totals.usd
        self.outcomes += totals.outcomes

    def pass_slice(self) -> BusyworkFinding | None:
        """Close the open slice; gives what dollars say and tokens bear out, or tokens say where nothing has a price.

        What only became dearer is no work without an outcome, and a few dear requests are none either.
        """
        by_tokens = self.by_tokens.observe(self.tokens, self.outcomes)
        # Credits are no consumption.
        by_usd = self.by_usd.observe(max(0, self.usd), self.outcomes)
        self.number += 1
        self.tokens = self.usd = self.outcomes = 0
        if self.judge is self.by_tokens:
            return by_tokens
        return by_usd if by_usd and self.by_tokens.bears_out(by_usd.slices) else None

    @property
    def rests(self) -> bool:
        """Whether nothing is in the open slice, and no alarm stands: slices that pass then change no word of it."""
        return not (self.tokens or self.usd or self.outcomes or self.by_tokens.standing or self.by_usd.standing)

    def pass_over(self, slices: int) -> None:
        """Close so many slices while it `rests`."""
        self.by_tokens.pass_over(slices)
        self.by_usd.pass_over(slices)
        self.number += slices

    @property
    def judge(self) -> BusyworkDetector:
        """The detector whose word holds."""
        return self.by_usd if self.by_usd.usual else self.by_tokens

    def excess(self, slices: int) -> Decimal:
        """Give the dollars of the last slices beyond what their outcomes usually cost; below 0 where they cost less."""
        usd, outcomes = self.by_usd.last(slices)
        return dollars(usd - round(outcomes * self.by_usd.usual))


class BusyworkJudge:
    """Outcomes of one tenant's entities. Series are named `<entity key>#outcomes`.

    An entity is followed from its first outcome on: a use case; an agent that outcomes name; the tenant, if an outcome
    named no use case.
    """

    def __init__(self, tenant: str, config: BusyworkConfig, cases: Cases) -> None:
        self._tenant, self._config, self._cases = tenant, config, cases
        self._levels = frozenset(config.levels) if config.enabled else frozenset[str]()
        self._params = _params(config)
        # The most slices that anything of before is still known after.
        self._memory = self._params.longest + self._params.lag + 1
        self._followed: OrderedDict[Entity, _Followed] = OrderedDict()
        self._open: set[Entity] = set()
        self._changed: set[Entity] = set()
        self._turn = 0

    @property
    def standing(self) -> bool:
        """Whether a case is open, so that passing time can end it."""
        return bool(self._open)

    @property
    def due(self) -> float:
        """The moment (epoch seconds, of event time) at which a slice of an open case ends."""
        if not self._open:
            return math.inf
        return (min(self._followed[entity].number for entity in self._open) + 1) * self._config.slice_seconds

    def on_close(self, found: Mapping[Entity, Totals], start: float) -> None:
        """Take in a closed window that began at `start`; what comes late counts for the slice that is open."""
        if not self._followed and not found[TENANT].outcomes:
            return
        number = int(start // self._config.slice_seconds)
        for entity in sorted(entity for entity, one in self._followed.items() if one.number < number):
            self._pass(entity, number)
        for entity, totals in found.items():
            if one := self._followed.get(entity) or self._entered(entity, found, number):
                one.add(totals)
                self._use(entity, one)
        while len(self._followed) > self._config.max_series:
            self._forget(next(iter(self._followed)), start)

    def on_time(self, until: float) -> None:
        """Close the slices of open cases that ended before `until`, the end of the last closed window."""
        number = int(until // self._config.slice_seconds)
        for entity in sorted(self._open):
            self._pass(entity, number)

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the entities that changed since the last call, by key, written down; None for dropped ones."""
        for entity in sorted(self._changed):
            one = self._followed.get(entity)
            yield entity.key(self._tenant), self._written(entity, one) if one else None
        self._changed.clear()

    def restore(self, parts: list[bytes]) -> None:
        """Take up what `changes` gave; to be called when the tenant's cases are restored.

        What was counted in slices of another length is learned anew, and what was said of it is over.
        """
        found = [msgspec.msgpack.decode(part, type=_Written) for part in parts]
        for written in sorted(found, key=lambda written: written.turn):
            if written.slice not in (0.0, self._config.slice_seconds):
                self._begin_anew(written.entity)
                continue
            one = self._followed[written.entity] = _Followed(self._params, written.number)
            self._turn = one.turn = written.turn
            one.since, one.tokens, one.usd, one.outcomes = (
                written.since,
                int(written.tokens),
                int(written.usd),
                written.outcomes,
            )
            one.by_tokens.restore(written.by_tokens)
            one.by_usd.restore(written.by_usd)
        self._open = {entity for entity in self._followed if self._series(entity) in self._cases}

    def _begin_anew(self, entity: Entity) -> None:
        self._changed.add(entity)
        if (series := self._series(entity)) in self._cases:
            self._cases.close(series, self._cases.open_since(series))

    def _series(self, entity: Entity) -> str:
        return f"{entity.key(self._tenant)}#outcomes"

    def _entered(self, entity: Entity, found: Mapping[Entity, Totals], number: int) -> _Followed | None:
        """Begin to follow an entity at its first outcome."""
        if entity.level not in self._levels or not _own_outcomes(entity, found):
            return None
        one = self._followed[entity] = _Followed(self._params, number)
        return one

    def _use(self, entity: Entity, one: _Followed) -> None:
        self._turn += 1
        one.turn = self._turn
        self._followed.move_to_end(entity)
        self._changed.add(entity)

    def _forget(self, entity: Entity, at: float) -> None:
        del self._followed[entity]
        self._changed.add(entity)
        if entity in self._open:
            self._open.discard(entity)
            self._cases.close(self._series(entity), at)

    def _pass(self, entity: Entity, number: int) -> None:
        """Close the entity's slices up to this one."""
        one = self._followed[entity]
        slices = number - one.number
        # An alarm ends soon where nothing comes; what is passed over after that is soon no longer known.
        while slices > 0 and not (one.rests and entity not in self._open):
            self._judge(entity, one, one.pass_slice())
            self._changed.add(entity)
            slices -= 1
        if slices > 0:
            one.pass_over(min(slices, self._memory))
            self._changed.add(entity)
        one.number = max(one.number, number)

    def _judge(self, entity: Entity, one: _Followed, finding: BusyworkFinding | None) -> None:
        at, series = one.number * self._config.slice_seconds, self._series(entity)
        if entity not in self._open and finding:
            one.since = one.number - finding.slices
            scope = Scope(use_case=entity.use_case, agent=entity.agent)
            self._cases.open("busywork", series, scope, at, self._reading(one, finding, one.excess(finding.slices)))
            self._open.add(entity)
        elif entity in self._open and not one.judge.standing:
            self._open.discard(entity)
            self._cases.close(series, at)
        elif entity in self._open and one.judge.last(1)[0]:
            excess = self._cases.excess(series) + one.excess(1)
            self._cases.update(series, at, self._reading(one, finding, excess))

    def _reading(self, one: _Followed, finding: BusyworkFinding | None, excess: Decimal) -> Reading:
        slices = min(one.number - one.since, self._params.longest)
        spent, outcomes = one.judge.last(slices)
        hour = max(1, round(3600 / self._config.slice_seconds))
        pace = one.excess(hour) * HOUR / Decimal(repr(hour * self._config.slice_seconds))
        expected = spent / one.judge.usual
        return Reading(
            observed=outcomes,
            expected=round(expected, 6),
            score=finding.score if finding else 0.5,
            usd_excess=max(ZERO, excess),
            usd_per_hour=max(ZERO, pace),
            reason=_reason(one, slices, outcomes, expected, slices * self._config.slice_seconds),
        )

    def _written(self, entity: Entity, one: _Followed) -> bytes:
        amounts = str(one.tokens), str(one.usd), one.outcomes
        detectors = one.by_tokens.snapshot(), one.by_usd.snapshot()
        length = self._config.slice_seconds
        return msgspec.msgpack.encode(_Written(entity, one.turn, one.number, one.since, *amounts, *detectors, length))


def _params(config: BusyworkConfig) -> BusyworkParams:
    size = config.slice_seconds
    return BusyworkParams(
        longest=max(1, round(config.longest_seconds / size)),
        lag=math.ceil(config.lag_seconds / size),
        expected=config.expected,
        ratio=config.ratio,
        evidence=config.evidence,
        warm_up=config.warm_up_outcomes,
        half_life=config.half_life_seconds / size,
    )


def _own_outcomes(entity: Entity, found: Mapping[Entity, Totals]) -> int:
    """Count the entity's outcomes; the tenant's own are those that name no use case."""
    outcomes = found[entity].outcomes
    if entity == TENANT and outcomes:
        return outcomes - sum(totals.outcomes for other, totals in found.items() if other.level == "use_case")
    return outcomes


def _reason(one: _Followed, slices: int, outcomes: int, expected: float, seconds: float) -> str:
    tokens, usd = one.by_tokens.last(slices)[0], one.by_usd.last(slices)[0]
    spent = f"{tokens:,} tokens" + (f" (${dollars(usd):,.2f})" if usd else "")
    hours = f"{seconds / 3600:.3g} h" if seconds >= 3600 else f"{seconds / 60:.3g} min"
    came = f"for {outcomes:,} outcome{'s' if outcomes > 1 else ''}" if outcomes else "without an outcome"
    return f"{spent} in {hours} {came}; usual are {expected:,.0f} outcomes for that"
