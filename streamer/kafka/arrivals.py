"""What has arrived of a runner's sources, compared with what it has applied."""

import structlog
from faust.types import TP

from streamer.kafka.transport import RunConsumer
from streamer.web.metrics import Metrics

log = structlog.get_logger()
# At four ticks a second: longer than a run waits in a queue that is being emptied.
_STALLED_TICKS = 20


class Arrivals:
    """Measures the lag, and has what was lost on the way between fetch and runner fetched again."""

    def __init__(self, consumer: RunConsumer, metrics: Metrics) -> None:
        self._consumer, self._metrics = consumer, metrics
        self._stalled: dict[TP, int] = {}

    def lag(self, tp: TP, position: int | None) -> int | None:
        """Count what can be read and is not applied; None where nothing is known yet."""
        end = self._consumer.end_of(tp)
        if end is None:
            return None
        lag = max(0, end - (position or 0))
        self._metrics.lag.labels(tp.topic, str(tp.partition)).set(lag)
        return lag

    def leave(self, tp: TP) -> None:
        """Say nothing more of it: another worker has it, and what it last lagged would be shown for ever."""
        self._metrics.lag.remove(tp.topic, str(tp.partition))

    def moved(self, tp: TP) -> None:
        """Take note that a run was applied."""
        self._stalled.pop(tp, None)

    async def watch(self, tp: TP, position: int | None) -> None:
        """Fetch again what was handed over but never came, where no later run tells of it; to be called each tick."""
        handed = self._consumer.handed_over(tp)
        if position is None or handed is None or handed <= position:
            self._stalled.pop(tp, None)
            return
        self._stalled[tp] = self._stalled.get(tp, 0) + 1
        if self._stalled[tp] >= _STALLED_TICKS:
            await self.lost(tp, position)

    async def lost(self, tp: TP, position: int) -> None:
        """Have all from `position` on fetched again."""
        log.warning("records were lost on the way: fetching them again", tp=str(tp), since=position)
        self._metrics.rewinds.inc()
        self._stalled.pop(tp, None)
        await self._consumer.rewind(tp, position)
