"""Usage into rollups and anomalies."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec
import structlog

from streamer.events.decoder import Decoder
from streamer.events.rejected import Rejected
from streamer.events.skipped import Skipped
from streamer.events.usage import UsageEvent
from streamer.feedback import Feedback
from streamer.kafka.stage import AT_ONCE, Out, Record
from streamer.kafka.stages.aside import Aside
from streamer.kafka.topics import Topics
from streamer.pipeline import Output, Pipeline
from streamer.records import Anomaly, BudgetStanding, Rollup
from streamer.web.metrics import Metrics

_encode = msgspec.json.encode
log = structlog.get_logger()


class MeterStage:
    """Usage events of one partition through the Pipeline.

    Rollups stay in their source's partition: all of a tenant's are in one, in order, without hashing each series.
    """

    def __init__(self, decoder: Decoder, pipeline: Pipeline, topics: Topics, metrics: Metrics, partition: int) -> None:
        self._decoder, self._pipeline, self._topics, self._metrics = decoder, pipeline, topics, metrics
        self._partition = partition
        self._aside = Aside(topics.dead_letters, metrics)
        self._touched: defaultdict[str | None, list[int]] = defaultdict(list)
        self._counted, self._heard = self._pipeline.counts(), self._pipeline.heard()

    def apply(self, records: Sequence[Record], now: float) -> Iterator[Out]:
        """Count the events of some records together, for one by one costs twice the time; feedback in between."""
        events: list[UsageEvent] = []
        for place, item in self._decoder.decode_run(records, now):
            if isinstance(item, UsageEvent):
                events.append(item)
                self._touch(item.tenant, records[place])
            elif isinstance(item, Rejected):
                self._touch(None, records[place])
                yield self._aside.rejected(records[place], item, now)
            elif isinstance(item, Skipped):
                self._metrics.skipped.labels(item.cause).inc()
            else:
                yield from self._counted_up(events, records, now)
                events = []
                self._touch(item.tenant, records[place])
                yield from self._heed(item, records[place], now)
        yield from self._counted_up(events, records, now)
        self._warn()

    def tick(self, now: float) -> Iterator[Out]:
        """Close the windows of tenants that fell silent."""
        yield from self._outs(self._pipeline.tick(now))

    def report(self) -> None:
        """Count events and feedback by what became of them."""
        counts = self._pipeline.counts()
        for name, count in (counts - self._counted).items():
            self._metrics.events.labels(name).inc(count)
        self._counted = counts
        heard = self._pipeline.heard()
        for (verdict, outcome), count in (heard - self._heard).items():
            self._metrics.feedback.labels(verdict, outcome).inc(count)
        self._heard = heard

    def touched(self) -> Mapping[str | None, Sequence[int]]:
        """Give the records applied since the last call, by tenant; what was rejected is nobody's."""
        touched, self._touched = self._touched, defaultdict(list)
        return touched

    def owners(self) -> Collection[str]:
        """Give the tenants that changed."""
        return self._pipeline.changed

    def changes(self, owner: str | None = None) -> Iterator[tuple[str, bytes | None]]:
        """Give the tenants that changed, or one of them."""
        return self._pipeline.changes(owner)

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Take up the tenants."""
        self._pipeline.restore(parts)

    def _counted_up(self, events: list[UsageEvent], records: Sequence[Record], now: float) -> Iterator[Out]:
        output = self._pipeline.submit(events, now)
        for event, error in output.failed:
            letter = self._aside.failed(self._record_of(event, records, now), error, now)
            yield letter._replace(owner=event.tenant)
        yield from self._outs(output)

    def _heed(self, feedback: Feedback, record: Record, now: float) -> Iterator[Out]:
        try:
            output = self._pipeline.feedback(feedback)
        except Exception as error:
            yield self._aside.failed(record, error, now)._replace(owner=feedback.tenant)
            return
        yield from self._outs(output)

    def _touch(self, tenant: str | None, record: Record) -> None:
        """Take note that a record changes a tenant; several items of one record are one change."""
        of = self._touched[tenant]
        if not of or of[-1] != record.offset:
            of.append(record.offset)

    def _warn(self) -> None:
        """Say once what the metrics count from then on."""
        for name in self._pipeline.unpriced():
            log.warning("no price: counted at 0 dollars, and as unpriced", what=name)
        for tenant in self._pipeline.crowded():
            log.warning("beyond its bounds: sessions are counted as `other`, or ids forgotten early", tenant=tenant)

    def _record_of(self, event: UsageEvent, records: Sequence[Record], now: float) -> Record:
        return next(records[place] for place, item in self._decoder.decode_run(records, now) if item == event)

    def _outs(self, output: Output) -> Iterator[Out]:
        yield from map(self._anomaly, output.anomalies)
        yield from map(self._rollup, output.rollups)
        yield from map(self._standing, output.budgets)

    def _anomaly(self, anomaly: Anomaly) -> Out:
        if anomaly.state == "opened":
            self._metrics.anomalies.labels(anomaly.kind).inc()
        return Out(self._topics.anomalies, anomaly.tenant, _encode(anomaly), within=AT_ONCE, owner=anomaly.tenant)

    def _rollup(self, rollup: Rollup) -> Out:
        # Nine in ten are of sessions: on a topic of their own, so that nobody reads them for the sake of the rest.
        topic = self._topics.session_rollups if rollup.level == "session" else self._topics.rollups
        return Out(topic, rollup.series, _encode(rollup), self._partition, owner=rollup.tenant)

    def _standing(self, standing: BudgetStanding) -> Out:
        return Out(self._topics.budgets, standing.series, _encode(standing), owner=standing.tenant)
