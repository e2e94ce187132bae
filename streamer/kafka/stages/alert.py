"""Anomalies into incidents and throttle commands."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from alerts.channels import Channels
from alerts.desk import AlertDesk
from alerts.throttle.book import Change
from alerts.throttle.command import Ack
from streamer.config import TrustConfig
from streamer.events.rejected import Rejected, rejected_by
from streamer.kafka.stage import AT_ONCE, SOON, Out, Record
from streamer.kafka.stages.aside import Aside
from streamer.kafka.stages.feedback import FeedbackDesk
from streamer.kafka.topics import Topics
from streamer.records import Anomaly
from streamer.showback.marks import Marks
from streamer.web.metrics import Metrics
from streamer.wiring import alert_of

_encode = msgspec.json.encode


class AlertStage:
    """Anomalies of all tenants into incidents and throttle commands; there is one partition of them.

    Feedback comes here because the incidents that it may name are here; see `FeedbackDesk`.
    """

    def __init__(
        self,
        desk: AlertDesk,
        topics: Topics,
        metrics: Metrics,
        max_future: float = 300.0,
        trust: TrustConfig = TrustConfig(),  # noqa: B008 - frozen
    ) -> None:
        self.desk, self._topics, self._metrics, self._trust = desk, topics, metrics, trust
        #: The end of the last period that each showback was told of.
        self.told = Marks()
        #: The receivers that take nothing.
        self.dead = Channels()
        self._feedback = FeedbackDesk(desk, self._commands, topics, metrics, max_future=max_future, trust=trust)
        self._aside = Aside(topics.dead_letters, metrics)
        self._refused: Counter[str] = Counter()

    def apply(self, records: Sequence[Record], now: float) -> Iterator[Out]:
        """Take in anomalies, gateways' words on commands, or people's on anomalies."""
        for record in records:
            yield from self._told(record, now)
        # Once for all of a run; what words change of incidents waits for the next tick.
        if any(record.topic == self._topics.anomalies for record in records):
            yield from self._incidents()

    def tick(self, now: float) -> Iterator[Out]:
        """Release and renew commands, escalate, and forget what is long over."""
        yield from self._commands(self.desk.tick(now))
        yield from self._incidents()

    def report(self) -> None:
        """Count incidents, commands, and why who was notified or not."""
        self._metrics.incidents_open.set(self.desk.dispatcher.open_count)
        self._metrics.commands_live.set(len(self.desk.ledger.live()))
        refused = Counter(self.desk.ledger.refused)
        for why, count in (refused - self._refused).items():
            self._metrics.commands_refused.labels(why).inc(count)
        self._refused = refused
        for reason, times in self.desk.dispatcher.decided().items():
            self._metrics.decisions.labels(reason).inc(times)

    def touched(self) -> Mapping[str | None, Sequence[int]]:
        """Give nothing: incidents are of many tenants, so all is written together."""
        return {}

    def owners(self) -> Collection[str]:
        """Name nobody."""
        return ()

    def changes(self, owner: str | None = None) -> Iterator[tuple[str, bytes | None]]:
        """Give the incidents, commands, silences, words heard, showbacks told and dead receivers that changed."""
        dispatcher = self.desk.dispatcher
        parts = {
            "incident": dispatcher.changes(),
            "command": self.desk.ledger.changes(),
            "silence": dispatcher.silences.changes(),
            "heard": self.desk.heard.changes(),
            "showback": self.told.changes(),
            "dead": self.dead.changes(),
        }
        for section, changes in parts.items():
            for name, state in changes:
                yield f"{section}/{name}", state

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Take up what `changes` gave."""
        self.desk.dispatcher.silences.restore(_section(parts, "silence/"))
        self.desk.dispatcher.restore(_section(parts, "incident/"))
        self.desk.ledger.restore(_section(parts, "command/"))
        self.desk.heard.restore(_section(parts, "heard/"))
        self.told.restore(_section(parts, "showback/"))
        self.dead.restore(_section(parts, "dead/"))

    def _told(self, record: Record, now: float) -> list[Out]:
        try:
            return list(self._taken(record, now))
        except UnicodeDecodeError:
            return [self._aside.rejected(record, Rejected("undecodable", "not UTF-8"), now)]
        except msgspec.MsgspecError as error:
            return [self._aside.rejected(record, rejected_by(error), now)]
        except Exception as error:
            return [self._aside.failed(record, error, now)]

    def _taken(self, record: Record, now: float) -> Iterator[Out]:
        value = record.value or b""
        if record.topic == self._topics.feedback:
            yield from self._feedback.taken(record, now)
            return
        if record.topic == self._topics.acks:
            yield from self._acknowledged(msgspec.json.decode(value, type=Ack), record, now)
            return
        yield from self._commands(self.desk.submit(alert_of(msgspec.json.decode(value, type=Anomaly)), now))

    def _acknowledged(self, ack: Ack, record: Record, now: float) -> Iterator[Out]:
        if not self._trust.trusts_gateway(ack.gateway):
            yield self._aside.rejected(record, Rejected("not_allowed", "no gateway of trust.gateways"), now)
            return
        known = self.desk.acknowledge(ack, now)
        self._metrics.acks.labels(ack.state if known else "unknown").inc()

    def _commands(self, changes: Iterable[Change]) -> Iterator[Out]:
        """Give the commands, before what tells of incidents: a gateway waits for them, people read at leisure."""
        for change in changes:
            if change.command:
                self._metrics.commands.labels(change.command.action, change.command.mode).inc()
            value = _encode(change.command) if change.command else None
            yield Out(self._topics.throttle, change.key, value, within=AT_ONCE)

    def _incidents(self) -> Iterator[Out]:
        """Give each incident that changed, once for all records of a run."""
        for name, incident in self.desk.dispatcher.news():
            yield Out(self._topics.alerts, name, _encode(incident) if incident else None, within=SOON)


def _section(parts: Mapping[str, bytes], prefix: str) -> dict[str, bytes]:
    return {key.removeprefix(prefix): state for key, state in parts.items() if key.startswith(prefix)}
