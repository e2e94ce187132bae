"""What sources send to `raw`: events go to `usage`, rejections to the dead letters, what is no usage to a metric."""

import base64
from pathlib import Path

import msgspec
import orjson
import pytest

from streamer.events.decoder import Decoder
from streamer.events.usage import UsageEvent
from streamer.kafka.stages import NormaliseStage
from streamer.web.metrics import Metrics
from tests.streamer.events.formats.golden import MARKER, records
from tests.streamer.events.formats.test_otel import CHAT, request
from tests.streamer.kafka.fakes import TOPICS, Fake, sample
from tests.streamer.samples import NOW


def test_a_collectors_record_becomes_events_and_what_is_left_out_is_counted(payloads: Path) -> None:
    """A Collector's Kafka exporter sends protobuf without a word about it."""
    metrics = Metrics()
    record = Fake((payloads / "otel" / "agent-sdk" / "traces.pb").read_bytes(), TOPICS.raw)
    outs = list(NormaliseStage(Decoder(), TOPICS, metrics).apply([record], NOW))
    assert [(out.topic, out.key) for out in outs] == [(TOPICS.usage, "search")] * 4
    assert all(msgspec.json.decode(out.value or b"", type=UsageEvent).source == "otel" for out in outs)
    assert sample(metrics, "tidegate_skipped_total", cause="repeated") == 1
    assert sample(metrics, "tidegate_skipped_total", cause="no_usage") == 1


def test_a_bad_span_is_a_dead_letter_of_its_own() -> None:
    record = Fake(request(CHAT, {**CHAT, "endTimeUnixNano": "0"}), TOPICS.raw, offset=7)
    good, bad = NormaliseStage(Decoder(), TOPICS, Metrics()).apply([record], NOW)
    letter = orjson.loads(bad.value or b"")
    assert (good.topic, bad.topic) == (TOPICS.usage, TOPICS.dead_letters)
    assert (letter["reason"], letter["item"], letter["offset"]) == ("impossible_time", 1, 7)
    assert orjson.loads(base64.b64decode(letter["record"]))["spanId"] == f"{2:016x}"


@pytest.mark.parametrize("path", list(records()), ids=lambda path: path.name)
@pytest.mark.parametrize("tenant", ["", "acme"])
def test_no_planted_word_leaves_the_stage(path: Path, tenant: str) -> None:
    record = path.read_bytes()
    cuts = (len(record), len(record) - 2, len(record) // 2)
    made = [Fake(record[:cut], TOPICS.raw) for cut in cuts]
    outs = list(NormaliseStage(Decoder(default_tenant=tenant, hash_key="k"), TOPICS, Metrics()).apply(made, NOW))
    assert outs
    for out in outs:
        told = orjson.loads(out.value or b"")
        letter = base64.b64decode(told["record"]) if out.topic == TOPICS.dead_letters else b""
        assert MARKER not in (out.value or b"").decode()
        assert MARKER.encode() not in letter
