"""People's feedback to where it counts: at the desk what is about commands, else among the tenant's usage events."""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from alerts.desk import AlertDesk
from alerts.throttle.command import CommandScope
from alerts.throttle.ledger import Change
from alerts.throttle.word import Word
from streamer.clock import utc
from streamer.config import TrustConfig
from streamer.events.rejected import Rejected
from streamer.feedback import Feedback, feedback_of, recognises
from streamer.kafka.stage import SOON, Out, Record
from streamer.kafka.stages.aside import Aside
from streamer.kafka.topics import Topics
from streamer.records import Scope
from streamer.web.metrics import Metrics


class Forwarder:
    """Checks feedback, and looks up the anomalies of the incidents that it names. Keeps no state.

    `outs` writes what the desk gives; `max_future` is how many seconds ahead of `now` feedback's time may be.
    """

    def __init__(
        self,
        desk: AlertDesk,
        outs: Callable[[Iterable[Change]], Iterable[Out]],
        topics: Topics,
        metrics: Metrics,
        *,
        max_future: float,
        trust: TrustConfig,
    ) -> None:
        self._desk, self._outs, self._topics, self._metrics = desk, outs, topics, metrics
        self._max_future, self._trust = max_future, trust
        self._aside = Aside(topics.dead_letters, metrics)

    def taken(self, record: Record, now: float) -> Iterator[Out]:
        """Forward a record, or put it aside; raises msgspec.DecodeError for what is no JSON."""
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
        elif not self._trust.trusts_person(feedback.by):
            yield self._aside.rejected(record, Rejected("not_allowed", "by matches none of trust.people"), now)
        elif feedback.verdict in ("throttle", "release"):
            yield from self._heeded(feedback, now)
        else:
            yield from self._forwarded(feedback)

    def _heeded(self, feedback: Feedback, now: float) -> Iterator[Out]:
        """Let the desk act on what a person says of commands."""
        outcome, changes = self._desk.heed(word_of(feedback), now)
        self._metrics.feedback.labels(feedback.verdict, outcome).inc()
        yield from self._outs(changes)

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
            for alert in incident.alerts.values():
                tenant = alert.labels["tenant"]
                if feedback.tenant in ("", tenant) and feedback.anomaly in ("", alert.id):
                    yield msgspec.structs.replace(feedback, tenant=tenant, anomaly=alert.id)


def word_of(feedback: Feedback) -> Word:
    """Hand a person's word over to the alert side; a model is no scope of a command, and is passed over."""
    scope, tenant = feedback.scope, feedback.tenant
    named = CommandScope(tenant, scope.use_case, scope.agent, scope.session) if tenant else None
    # Whoever names something that was told means that, unless a part of the tenant is named with it.
    told = bool(feedback.incident or feedback.names_case)
    return Word(
        id=feedback.id,
        verdict="throttle" if feedback.verdict == "throttle" else "release",
        tenant=tenant,
        incident=feedback.incident,
        # The alert side knows no series: what names one only is unknown there.
        anomaly=feedback.anomaly or feedback.series,
        scope=None if told and scope == Scope() else named,
        tool=scope.tool,
        until=feedback.until.timestamp() if feedback.until else None,
        by=feedback.by,
    )
