"""The one Pipeline: usage events in, anomalies and closed windows out. The worker, replay and tests drive it alike."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from streamer.config import Config
from streamer.dedup import SeenIds
from streamer.events.usage import UsageEvent
from streamer.pricing.book import PriceBook
from streamer.records import Anomaly, Rollup
from streamer.tenant import Count, TenantMeter


class Output(msgspec.Struct):
    """What came of some events or of passing time, in the order in which it was known."""

    anomalies: list[Anomaly] = []
    rollups: list[Rollup] = []


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

    def __init__(self, config: Config) -> None:
        self._config = config
        self._prices = PriceBook(config.pricing.units())
        self._meters: dict[str, TenantMeter] = {}
        self._seen: dict[str, SeenIds] = {}
        self._dirty: set[str] = set()

    def submit(self, events: Iterable[UsageEvent], now: float) -> Output:
        """Take in events, in their order; repeats of an id that is still remembered change nothing."""
        output = Output()
        for event in events:
            meter = self._meter(event.tenant)
            at = event.time.timestamp()
            if not self._seen[event.tenant].add(event.source, event.id, at):
                meter.counts["duplicate"] += 1
                continue
            self._dirty.add(event.tenant)
            self._seen[event.tenant].forget(at)
            output.rollups += meter.submit(event, now)
            output.anomalies += meter.changes()
        return output

    def tick(self, now: float) -> Output:
        """Let time pass for every tenant, so that those who fell silent have their windows closed too."""
        return self._of_all(lambda meter: meter.tick(now))

    def flush(self) -> Output:
        """Close all windows of all tenants: the source has ended."""
        return self._of_all(TenantMeter.flush)

    def counts(self) -> Counter[Count]:
        """Count events by what became of them, over all tenants, since this Pipeline was made."""
        total: Counter[Count] = Counter()
        for meter in self._meters.values():
            total.update(meter.counts)
        return total

    def unpriced(self) -> list[str]:
        """Name the models and kinds that were found to have no price since the last call, each once."""
        return self._prices.news()

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the parts of the state that changed since the last call, by key; None for dropped parts.

        Time that passed and brought nothing out is no change, or idle tenants would be written down for ever:
        a `tick` after `restore` makes up for it.
        """
        for tenant in sorted(self._dirty):
            yield f"tenant/{tenant}", self._meters[tenant].snapshot()
            for number, bucket in self._seen[tenant].changes():
                yield f"seen/{number}/{tenant}", bucket
        self._dirty.clear()

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Take up the parts that `changes` gave."""
        for key in sorted(parts):
            section, _, name = key.partition("/")
            if section == "tenant":
                self._meter(name).restore(parts[key])
            else:
                number, _, tenant = name.partition("/")
                self._meter(tenant)
                self._seen[tenant].restore(int(number), parts[key])

    def _meter(self, tenant: str) -> TenantMeter:
        meter = self._meters.get(tenant)
        if meter is None:
            meter = self._meters[tenant] = TenantMeter(tenant, self._config, self._prices)
            self._seen[tenant] = SeenIds(self._config.events.duplicate_span_seconds)
        return meter

    def _of_all(self, step: Callable[[TenantMeter], Iterable[Rollup]]) -> Output:
        output = Output()
        # Sorted, so that a Pipeline that was restored gives the same order.
        for tenant, meter in sorted(self._meters.items()):
            rollups, anomalies = list(step(meter)), meter.changes()
            if rollups or anomalies:
                self._dirty.add(tenant)
            output.rollups += rollups
            output.anomalies += anomalies
        return output
