"""The three stages of the worker: raw records become usage events, usage becomes anomalies, anomalies become alerts."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec
import structlog

from alerts.dispatcher import Dispatcher
from alerts.throttle.command import Ack, Command
from alerts.throttle.ledger import Change, Ledger
from streamer.events.decoder import Decoder
from streamer.events.rejected import Rejected
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

    def __init__(self, dispatcher: Dispatcher, ledger: Ledger, topics: Topics, metrics: Metrics) -> None:
        self.dispatcher, self.ledger = dispatcher, ledger
        self._topics, self._metrics = topics, metrics

    def apply(self, record: Record, now: float) -> Iterator[Out]:
        """Take in an anomaly, or a gateway's word on a command."""
        try:
            if record.topic == self._topics.acks:
                self._acknowledged(msgspec.json.decode(record.value or b"", type=Ack))
                return
            anomaly = msgspec.json.decode(record.value or b"", type=Anomaly)
        except msgspec.MsgspecError as error:
            self._metrics.rejected.labels("wrong_type").inc()
            yield dead_letter(self._topics.dead_letters, record, Rejected("wrong_type", str(error)), now)
            return
        alert = alert_of(anomaly)
        incident = self.dispatcher.submit(alert, now)
        if incident:
            yield from self._commands(self.ledger.submit(alert, incident.id, now))
        yield from self._publish()

    def tick(self, now: float) -> Iterator[Out]:
        """Release and renew commands, and forget what is long over."""
        yield from self._commands(self.ledger.tick(now))
        self.dispatcher.forget(now)
        yield from self._publish()
        self._metrics.incidents_open.set(len(self.dispatcher.open_incidents()))
        self._metrics.commands_live.set(len(self.ledger.live()))

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the incidents and commands that changed."""
        for name, state in self.dispatcher.changes():
            yield f"incident/{name}", state
        for key, state in self.ledger.changes():
            yield f"command/{key}", state

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Take up the incidents and commands."""
        self.dispatcher.restore(_section(parts, "incident/"))
        self.ledger.restore(_section(parts, "command/"))

    def _acknowledged(self, ack: Ack) -> None:
        incident = self.ledger.incident_of(ack.command)
        if incident:
            self.dispatcher.note(incident, f"gateway {ack.gateway}: {ack.state} at {ack.at:%H:%M:%S} UTC")

    def _publish(self) -> Iterator[Out]:
        for name, incident in self.dispatcher.news():
            yield Out(self._topics.alerts, name, _encode(incident) if incident else None)

    def _commands(self, changes: Iterable[Change]) -> Iterator[Out]:
        for change in changes:
            if change.command:
                self._metrics.commands.labels(change.command.action, change.command.mode).inc()
                self.dispatcher.note(change.command.reason.incident, _told(change.key, change.command))
            yield Out(self._topics.throttle, change.key, _encode(change.command) if change.command else None)


def _told(key: str, command: Command) -> str:
    if command.action == "release":
        return f"released {key} at {command.issued_at:%H:%M:%S} UTC"
    verb = "told gateways to" if command.mode == "enforce" else "suggests to"
    until = f"until {command.expires_at:%H:%M:%S} UTC"
    return f"{verb} {command.action.replace('_', ' ')} {key} {until}"


def _section(parts: Mapping[str, bytes], prefix: str) -> dict[str, bytes]:
    return {key.removeprefix(prefix): state for key, state in parts.items() if key.startswith(prefix)}
