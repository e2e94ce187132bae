"""People's feedback to where it counts: the incidents at once, and its tenant's usage events, in one order for all."""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from alerts.desk import AlertDesk
from alerts.throttle.book import Change
from streamer.clock import utc
from streamer.config import TrustConfig
from streamer.events.rejected import Rejected
from streamer.feedback import Feedback, feedback_of, recognises
from streamer.kafka.stage import SOON, Out, Record
from streamer.kafka.stages.aside import Aside
from streamer.kafka.topics import Topics
from streamer.records import Scope
from streamer.web.metrics import Metrics
from streamer.wiring import word_of

# What only the alert side acts upon; the detectors would ignore it.
_HERE = frozenset({"acknowledge", "mute"})


class FeedbackDesk:
    """Checks feedback, has the desk act upon it, and forwards what concerns the detectors.

    `commands` writes those that the desk gives; `max_future` is how many seconds ahead of `now` feedback's time may be.
    """

    def __init__(
        self,
        desk: AlertDesk,
        commands: Callable[[Iterable[Change]], Iterable[Out]],
        topics: Topics,
        metrics: Metrics,
        *,
        max_future: float,
        trust: TrustConfig,
    ) -> None:
        self._desk, self._commands, self._topics, self._metrics = desk, commands, topics, metrics
        self._max_future, self._trust = max_future, trust
        self._aside = Aside(topics.dead_letters, metrics)

    def taken(self, record: Record, now: float) -> Iterator[Out]:
        """Act upon a record, or put it aside; raises msgspec.DecodeError for what is no JSON."""
        fields = msgspec.json.decode(record.value or b"")
        if not isinstance(fields, dict):
            yield self._aside.rejected(record, Rejected("wrong_type", "feedback must be a JSON object"), now)
            return
        if not recognises(fields):
            yield self._aside.rejected(record, Rejected("unknown_format", "schema names no feedback"), now)
            return
        feedback = feedback_of(fields, utc(now + self._max_future))
        if isinstance(feedback, Rejected):
            yield self._aside.rejected(record, feedback, now)
            return
        if not self._trust.trusts_person(feedback.by):
            yield self._aside.rejected(record, Rejected("not_allowed", "by matches none of trust.people"), now)
        elif feedback.verdict in ("throttle", "release"):
            yield from self._heeded(feedback, now)
        else:
            yield from self._heard(feedback, now)

    def _heard(self, feedback: Feedback, now: float) -> Iterator[Out]:
        """Have the desk act upon what is said of incidents, and forward what concerns the detectors."""
        # Looked up before the desk acts: what it says of the incident changes none of its anomalies.
        forwarded = [] if feedback.verdict in _HERE else list(self._forwarded(feedback))
        outcome = self._desk.hear(word_of(feedback), now)
        if feedback.verdict in _HERE:
            self._metrics.feedback.labels(feedback.verdict, outcome).inc()
        yield from forwarded

    def _heeded(self, feedback: Feedback, now: float) -> Iterator[Out]:
        """Let the desk act on what a person says of commands."""
        outcome, changes = self._desk.heed(word_of(feedback), now)
        self._metrics.feedback.labels(feedback.verdict, outcome).inc()
        yield from self._commands(changes)

    def _forwarded(self, feedback: Feedback) -> Iterator[Out]:
        found = list(self._addressed(feedback))
        if not found:
            self._metrics.feedback.labels(feedback.verdict, "unknown").inc()
        for one in found:
            yield Out(self._topics.usage, one.tenant, msgspec.json.encode(one), within=SOON)

    def _addressed(self, feedback: Feedback) -> Iterator[Feedback]:
        """Give the feedback for each anomaly of its incident, where it names nothing else."""
        itself = feedback.names_case or feedback.scope != Scope() or not feedback.incident
        if feedback.tenant and itself:
            yield feedback
        elif incident := self._desk.dispatcher.find(feedback.incident):
            for tenant, alert in incident.tenants_of_alerts():
                if feedback.tenant in ("", tenant) and feedback.anomaly in ("", alert):
                    yield msgspec.structs.replace(feedback, tenant=tenant, anomaly=alert)
