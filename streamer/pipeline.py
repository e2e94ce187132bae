"""The one Pipeline: usage events in, anomalies and closed windows out. The worker, replay and tests drive it alike."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from operator import itemgetter

import msgspec

from streamer.config import Config
from streamer.events.usage import UsageEvent
from streamer.feedback import Feedback
from streamer.judges.answers import Outcome
from streamer.judges.horizons import Band
from streamer.pricing.book import Charge, PriceBook
from streamer.records import Anomaly, BudgetStanding, Rollup
from streamer.tenant import Found, Tally, TenantMeter, place_of

_AT_ONCE = -math.inf


class Output(msgspec.Struct):
    """What came of some events or of passing time, in the order in which it was known.

    `budgets` come with the rollups of their tenant. `failed` are events that an error of ours kept from being counted
    whole: they stop no others.
    """

    anomalies: list[Anomaly] = []
    rollups: list[Rollup] = []
    budgets: list[BudgetStanding] = []
    failed: list[tuple[UsageEvent, Exception]] = []


class Pipeline:
    """Meters and judges usage; pure: `now` (epoch seconds) is an argument, and nothing is read or sent.

    A tenant's results depend on its own events alone, so tenants may be spread over any number of Pipelines.

    >>> from datetime import UTC, datetime
    >>> event = UsageEvent(id="1", time=datetime(2026, 11, 22, tzinfo=UTC), tenant="acme", input_tokens=5)
    >>> pipeline = Pipeline(Config())
    >>> _ = pipeline.submit([event, event], now=event.time.timestamp())
    >>> pipeline.flush().rollups[0].input_tokens, pipeline.counts()["duplicate"]
    (5, 1)
    """

    def __init__(self, config: Config, charge: Charge | None = None) -> None:
        """Meter by `config`; `charge`, if given, is told of each event that is counted."""
        self._config, self._charge = config, charge
        self._prices = PriceBook(config.pricing)
        self._tally = Tally()
        self._meters: dict[str, TenantMeter] = {}
        # When to visit the tenants whom passing time may bring something: at once where something came to them.
        self._due: dict[str, float] = {}
        self._ticked: float | None = None
        self._dirty: set[str] = set()

    def submit(self, events: Sequence[UsageEvent], now: float) -> Output:
        """Take in events, in their order; repeats of an id that is still remembered change nothing.

        A tenant's events are taken in a row, for what they touch is at hand then; what comes of all is put in order.
        """
        found: list[Found] = []
        places = _by_tenant(events)
        for tenant, of_tenant in places.items():
            meter = self._meters.get(tenant) or self._admit(tenant)
            self._wake(tenant, meter)
            meter.submit(events, of_tenant, now, found)
        self._dirty.update(places)
        return _in_order(found, events) if found else Output()

    def feedback(self, feedback: Feedback) -> Output:
        """Act upon a person's word, in its order among the events; of a tenant that is unknown only plans are kept."""
        tenant = feedback.tenant
        meter = self._meters.get(tenant)
        if meter is None and feedback.verdict != "planned":
            self._tally.heard[feedback.verdict, "unknown"] += 1
            return Output()
        meter = meter or self._admit(tenant)
        self._wake(tenant, meter)
        self._tally.heard[feedback.verdict, meter.on_feedback(feedback)] += 1
        self._dirty.add(tenant)
        return Output(meter.cases.taken())

    def tick(self, now: float) -> Output:
        """Let time pass, so that the windows of tenants who fell silent are closed too.

        Until that can bring something out, a tenant sleeps; it is told how late it is when it wakes.
        """
        self._ticked = now
        tenants = sorted(tenant for tenant, due in self._due.items() if due <= now)
        output = self._of_all(tenants, lambda meter: meter.tick(now))
        for tenant in tenants:
            self._due[tenant] = self._meters[tenant].due
            if self._due[tenant] == math.inf:
                del self._due[tenant]
        return output

    @property
    def due(self) -> float:
        """The moment (epoch seconds) before which ticks bring nothing out, unless something arrives."""
        return min(self._due.values(), default=math.inf)

    def flush(self) -> Output:
        """Close all windows of all tenants: the source has ended."""
        return self._of_all(sorted(self._meters), TenantMeter.flush)

    def counts(self) -> Counter[str]:
        """Count events by what became of them, over all tenants, since this Pipeline was made.

        counted, duplicate, late, unpriced; folded: sessions counted as `other`; forgotten: ids beyond the bound.
        """
        tally = self._tally
        return +Counter(
            {
                "counted": tally.counted,
                "duplicate": tally.duplicate,
                "late": tally.late,
                "unpriced": tally.unpriced,
                "folded": tally.folded,
                "forgotten": tally.forgotten,
            }
        )

    def heard(self) -> Counter[tuple[str, Outcome]]:
        """Count feedback by verdict and by what became of it, as `counts` does events."""
        return Counter(self._tally.heard)

    def band(self, tenant: str, series: str) -> Band | None:
        """Give the expected value and the ceiling behind an open case, None where it was not judged by them."""
        meter = self._meters.get(tenant)
        return meter.band(series) if meter else None

    def unpriced(self) -> list[str]:
        """Name the models and kinds that were found to have no price since the last call, each once."""
        return self._prices.news()

    def crowded(self) -> list[str]:
        """Name the tenants that went beyond a bound (sessions a window, ids) since the last call, each once."""
        return self._tally.crowded.taken()

    @property
    def changed(self) -> Set[str]:
        """The tenants whose state changed since `changes` gave it."""
        return self._dirty

    def changes(self, tenant: str | None = None) -> Iterator[tuple[str, bytes | None]]:
        """Give the parts of the state that changed since the last call, by key; None for dropped parts.

        Of all tenants, or of one. Time that passed and brought nothing out is no change, or idle tenants would be
        written down for ever: a `tick` after `restore` makes up for it.
        """
        for changed in sorted(self._dirty) if tenant is None else self._dirty & {tenant}:
            yield from self._meters[changed].changes()
            self._dirty.discard(changed)

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Take up the parts that `changes` gave."""
        found: dict[str, dict[str, dict[str, bytes]]] = defaultdict(lambda: defaultdict(dict))
        for key, part in parts.items():
            kind, tenant, name = place_of(key)
            found[tenant][kind][name] = part
        for tenant in sorted(found):
            meter = self._admit(tenant)
            meter.restore(found[tenant])
            self._due[tenant] = _AT_ONCE

    def _wake(self, tenant: str, meter: TenantMeter) -> None:
        if self._due.get(tenant) != _AT_ONCE:
            self._due[tenant] = _AT_ONCE
            if self._ticked is not None:
                meter.tick(self._ticked)

    def _admit(self, tenant: str) -> TenantMeter:
        meter = self._meters[tenant] = TenantMeter(tenant, self._config, self._prices, self._tally, self._charge)
        return meter

    def _of_all(self, tenants: Iterable[str], step: Callable[[TenantMeter], Iterable[Rollup]]) -> Output:
        """Take a step with each tenant; in order, so that a Pipeline that was restored gives the same."""
        output = Output()
        for tenant in tenants:
            meter = self._meters[tenant]
            rollups, anomalies = list(step(meter)), meter.cases.taken()
            if rollups or anomalies:
                self._dirty.add(tenant)
            output.rollups += rollups
            output.anomalies += anomalies
            if rollups:
                output.budgets += meter.budgets(rollups)
        return output


def _by_tenant(events: Sequence[UsageEvent]) -> dict[str, list[int]]:
    """Give the places of each tenant's events."""
    places: dict[str, list[int]] = {}
    for place, event in enumerate(events):
        tenant = event.tenant
        if tenant in places:
            places[tenant].append(place)
        else:
            places[tenant] = [place]
    return places


def _in_order(found: list[Found], events: Sequence[UsageEvent]) -> Output:
    """Put what came of events into the order of the events."""
    output = Output()
    for one in sorted(found, key=itemgetter(0)):
        output.rollups += one.rollups
        output.budgets += one.budgets
        output.anomalies += one.anomalies
        if one.error:
            output.failed.append((events[one.place], one.error))
    return output
