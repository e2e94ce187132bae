"""People's feedback to where it counts: among the usage events of its tenant, in one order for live and replay."""

from collections.abc import Iterator

import msgspec

from alerts.dispatcher import Dispatcher
from streamer.clock import utc
from streamer.events.rejected import Rejected
from streamer.feedback import Feedback, feedback_of, recognises, spoken
from streamer.kafka.stage import SOON, Out, Record
from streamer.kafka.stages.aside import Aside
from streamer.kafka.topics import Topics
from streamer.records import Scope
from streamer.web.metrics import Metrics


class Forwarder:
    """Checks feedback, and looks up the anomalies of the incidents that it names. Keeps no state.

    `max_future` is how many seconds ahead of `now` its time may be.
    """

    def __init__(self, incidents: Dispatcher, topics: Topics, metrics: Metrics, max_future: float) -> None:
        self._incidents, self._topics, self._metrics = incidents, topics, metrics
        self._max_future = max_future
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
        else:
            if feedback.incident:
                self._incidents.answer(feedback.incident, feedback.id, spoken(feedback))
            yield from self._forwarded(feedback)

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
        elif incident := self._incidents.find(feedback.incident):
            for alert in incident.alerts.values():
                tenant = alert.labels["tenant"]
                if feedback.tenant in ("", tenant) and feedback.anomaly in ("", alert.id):
                    yield msgspec.structs.replace(feedback, tenant=tenant, anomaly=alert.id)
