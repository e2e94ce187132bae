"""What is planted is what a worker tells with the suite's settings, and ordinary traffic is nothing to tell of."""

from random import Random

import orjson
import pytest

from streamer.events.decoder import Decoder
from streamer.pipeline import Pipeline
from streamer.settings import load
from tests.chaos.usage import DETECTION, Known, Usage, burst

AT = 1_800_000_000.0


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    for name, value in {**DETECTION, "WINDOWS__SIZE_SECONDS": "2"}.items():
        monkeypatch.setenv(f"TIDEGATE_{name}", value)
    return Pipeline(load(None))


def told(pipeline: Pipeline, events: list[dict[str, object]]) -> set[Known]:
    decoder = Decoder()
    found = [event for one in events for event in decoder.decode(orjson.dumps(one), AT)]
    outputs = [pipeline.submit([event], AT) for event in found]  # type: ignore[list-item]
    return {Known(a.tenant, a.kind, a.series) for output in outputs for a in output.anomalies}


def test_a_burst_is_told_as_it_is_known(pipeline: Pipeline) -> None:
    events, known = burst(1, Usage(Random(1)), AT)
    assert told(pipeline, events) == {known}


def test_ordinary_traffic_is_nothing_to_tell_of(pipeline: Pipeline) -> None:
    usage = Usage(Random(2))
    assert told(pipeline, [usage.event(AT + number / 20) for number in range(3000)]) == set()
