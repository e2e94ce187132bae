"""An hour of steady traffic, lived through once and taken up by each test that goes on from it."""

from functools import cache

from streamer.config import Config
from streamer.events.usage import UsageEvent
from streamer.pipeline import Pipeline
from streamer.records import Anomaly
from tests.streamer.judges.traffic import AGENTS, HOUR, requests, written
from tests.streamer.samples import submit

# Where the hour is over, in seconds after NOON.
NEXT = HOUR
CONFIG = Config()


@cache
def hour() -> dict[str, bytes]:
    """The state after it."""
    return written(Pipeline(CONFIG), requests(AGENTS, 0, HOUR))


def pipeline() -> Pipeline:
    """A pipeline that has lived through it."""
    found = Pipeline(CONFIG)
    found.restore(hour())
    return found


def said(events: list[UsageEvent], until: float = 0.0) -> list[Anomaly]:
    """What is said of the events that come after it, and of the time up to `until` (seconds after the last event)."""
    after = pipeline()
    anomalies = submit(after, events)
    return anomalies + after.tick(events[-1].time.timestamp() + until).anomalies
