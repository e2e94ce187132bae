"""The three stages of the worker: raw records become usage events, usage becomes anomalies, anomalies become alerts."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec
import structlog

from alerts.desk import AlertDesk
from alerts.throttle.command import Ack
from alerts.throttle.ledger import Change
from streamer.events.decoder import Decoder
from streamer.events.rejected import Rejected, rejected_by
from streamer.events.usage import UsageEvent
from streamer.kafka.dead_letters import dead_letter
from streamer.kafka.stage import Out, Record, headers_of
from streamer.kafka.topics import Topics
from streamer.pipeline import Output, Pipeline
from streamer.records import Anomaly
from streamer.web.metrics import Metrics
from streamer.wiring import alert_of

_encode = msgspec.json.encode
log = structlog.get_logger()


class NormaliseStage:
    """Any accepted format in, canonical usage events out, keyed by tenant. Keeps no state."""

    def __init__(self, decoder: Decoder, topics: Topics, metrics: Metrics) -> None:
        self._decoder, self._topics, self._metrics = decoder, topics, metrics

    def apply(self, record: Record, now: float) -> Iterator[Out]:
        """Decode one record; what is rejected goes to the dead letters."""
        for item in self._decoder.decode(record.value or b"", now, headers_of(record)):
            if isinstance(item, Rejected):
                self._metrics.rejected.labels(item.reason).inc()
                yield dead_letter(self._topics.dead_letters, record, item, now)
            else:
                yield Out(self._topics.usage, item.tenant, _encode(item))

    def tick(self, now: float) -> Iterable[Out]:
        """Time changes nothing."""
        return ()

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """There is no state."""
        return iter(())

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """There is no state."""


class MeterStage:
    """Usage events of one partition through the Pipeline."""

    def __init__(self, decoder: Decoder, pipeline: Pipeline, topics: Topics, metrics: Metrics) -> None:
        self._decoder, self._pipeline, self._topics, self._metrics = decoder, pipeline, topics, metrics
        self._counted = self._pipeline.counts()

    def apply(self, record: Record, now: float) -> Iterator[Out]:
        """Count the events of one record."""
        events: list[UsageEvent] = []
        for item in self._decoder.decode(record.value or b"", now, headers_of(record)):
            if isinstance(item, Rejected):
                self._metrics.rejected.labels(item.reason).inc()
                yield dead_letter(self._topics.dead_letters, record, item, now)
            else:
                events.append(item)
        yield from self._outs(self._pipeline.submit(events, now))
        for name in self._pipeline.unpriced():
            log.warning("no price: counted at 0 dollars, and as unpriced", what=name)

    def tick(self, now: float) -> Iterator[Out]:
        """Close the windows of tenants that fell silent."""
        yield from self._outs(self._pipeline.tick(now))
        counts = self._pipeline.counts()
        for name, count in (counts - self._counted).items():
            self._metrics.events.labels(name).inc(count)
        self._counted = counts

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the tenants that changed."""
        return self._pipeline.changes()

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Take up the tenants."""
        self._pipeline.restore(parts)

    def _outs(self, output: Output) -> Iterator[Out]:
        for anomaly in output.anomalies:
            if anomaly.state == "opened":
                self._metrics.anomalies.labels(anomaly.kind).inc()
            yield Out(self._topics.anomalies, anomaly.tenant, _encode(anomaly))
        for rollup in output.rollups:
            yield Out(self._topics.rollups, rollup.series, _encode(rollup))


class AlertStage:
    """Anomalies of all tenants into incidents and throttle commands; there is one partition of them."""

    def __init__(self, desk: AlertDesk, topics: Topics, metrics: Metrics) -> None:
        self.desk, self._topics, self._metrics = desk, topics, metrics

    def apply(self, record: Record, now: float) -> Iterator[Out]:
        """Take in an anomaly, or a gateway's word on a command."""
        try:
            yield from self._taken(record, now)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            broken = isinstance(error, UnicodeDecodeError)
            rejected = Rejected("undecodable", "not UTF-8") if broken else rejected_by(error)
            self._metrics.rejected.labels(rejected.reason).inc()
            yield dead_letter(self._topics.dead_letters, record, rejected, now)

    def tick(self, now: float) -> Iterator[Out]:
        """Release and renew commands, and forget what is long over."""
        yield from self._outs(self.desk.tick(now))
        self._metrics.incidents_open.set(len(self.desk.dispatcher.open_incidents()))
        self._metrics.commands_live.set(len(self.desk.ledger.live()))

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the incidents and commands that changed."""
        for name, state in self.desk.dispatcher.changes():
            yield f"incident/{name}", state
        for key, state in self.desk.ledger.changes():
            yield f"command/{key}", state

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Take up the incidents and commands."""
        self.desk.dispatcher.restore(_section(parts, "incident/"))
        self.desk.ledger.restore(_section(parts, "command/"))

    def _taken(self, record: Record, now: float) -> Iterator[Out]:
        value = record.value or b""
        if record.topic == self._topics.acks:
            ack = msgspec.json.decode(value, type=Ack)
            self.desk.acknowledged(ack.command, f"gateway {ack.gateway}: {ack.state} at {ack.at:%H:%M:%S} UTC")
            return
        yield from self._outs(self.desk.submit(alert_of(msgspec.json.decode(value, type=Anomaly)), now))

    def _outs(self, changes: Iterable[Change]) -> Iterator[Out]:
        """Commands first: a gateway waits for them, people read at leisure."""
        for change in changes:
            if change.command:
                self._metrics.commands.labels(change.command.action, change.command.mode).inc()
            yield Out(self._topics.throttle, change.key, _encode(change.command) if change.command else None)
        for name, incident in self.desk.dispatcher.news():
            yield Out(self._topics.alerts, name, _encode(incident) if incident else None)


def _section(parts: Mapping[str, bytes], prefix: str) -> dict[str, bytes]:
    return {key.removeprefix(prefix): state for key, state in parts.items() if key.startswith(prefix)}
