"""Puts aside what cannot be applied, so that it takes nothing else with it and does not come for ever."""

import structlog

from streamer.events.rejected import Rejected
from streamer.kafka.dead_letters import dead_letter
from streamer.kafka.stage import Out, Record
from streamer.web.metrics import Metrics

log = structlog.get_logger()


class Aside:
    """Makes dead letters, and counts them."""

    def __init__(self, dead_letters: str, metrics: Metrics) -> None:
        self._dead_letters, self._metrics = dead_letters, metrics

    def failed(self, record: Record, error: Exception, now: float) -> Out:
        """Make the dead letter of a record that broke the stage: the error is ours."""
        log.error("a record could not be applied", topic=record.topic, offset=record.offset, exc_info=error)
        return self.rejected(record, Rejected("failed", type(error).__name__), now)

    def rejected(self, record: Record, rejected: Rejected, now: float) -> Out:
        """Make the dead letter of a rejected record or item."""
        self._metrics.rejected.labels(rejected.reason).inc()
        return dead_letter(self._dead_letters, record, rejected, now)
