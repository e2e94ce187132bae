"""What the streamer's tests share: a moment and a plain event."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from streamer.events.usage import UsageEvent
from streamer.pipeline import Output, Pipeline
from streamer.records import Anomaly

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
# After everything that the payloads tell of.
NOW = NOON.timestamp()


def event(number: object = 1, seconds: float = 0.0, **fields: Any) -> UsageEvent:
    """An event of `acme`, `seconds` after NOON."""
    known = {"tenant": "acme", "source": "test", "time": NOON + timedelta(seconds=seconds)}
    return UsageEvent(**{"id": str(number), **known, **fields})


def submit(pipeline: Pipeline, events: Iterable[UsageEvent]) -> list[Anomaly]:
    """Submit events one by one at their own time; gives what was said of anomalies."""
    return [anomaly for one in events for anomaly in pipeline.submit([one], one.time.timestamp()).anomalies]


def said(output: Output | list[Anomaly]) -> list[tuple[str, str, str]]:
    """What an output says, as (kind, series, state)."""
    anomalies = output.anomalies if isinstance(output, Output) else output
    return [(anomaly.kind, anomaly.series, anomaly.state) for anomaly in anomalies]
