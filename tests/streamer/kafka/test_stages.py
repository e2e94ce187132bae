"""The stages by themselves: what they make of a record, what they refuse, and what they remember."""

import base64
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import orjson
import pytest

from alerts.alert import RANK
from alerts.throttle.command import Ack, Command
from streamer.clock import utc
from streamer.config import AlertsConfig, Config, PolicyConfig, RouteConfig, ThrottleConfig, WindowsConfig
from streamer.events.decoder import Decoder, headers_of
from streamer.events.usage import UsageEvent
from streamer.kafka.stage import Out
from streamer.kafka.stages import AlertStage, MeterStage, NormaliseStage
from streamer.pipeline import Pipeline
from streamer.records import Anomaly, AnomalyState, Rollup, Scope
from streamer.tenant import place_of
from streamer.web.metrics import Metrics
from streamer.wiring import desk_of
from tests.streamer.kafka.fakes import TOPICS, Fake, sample
from tests.streamer.samples import NOON, NOW, event

CONFIG = Config(
    alerts=AlertsConfig(routes=(RouteConfig(receiver="console", group_wait_seconds=0),)),
    throttle=ThrottleConfig(
        policies=(PolicyConfig(kind="loop", scope="session", action="pause", mode="enforce"),), hold_seconds=10
    ),
    windows=WindowsConfig(size_seconds=10, lateness_seconds=0, grace_seconds=0, stagger_seconds=0),
)
WORDS = "my credit card is 4111"
RUNAWAY = "tenant=acme/session=runaway"


def by_topic(outs: Iterable[Out]) -> dict[str, list[Any]]:
    """Decoded values by topic; None for a tombstone."""
    found: dict[str, list[Any]] = {}
    for out in outs:
        found.setdefault(out.topic, []).append(out.value and msgspec.json.decode(out.value))
    return found


def normaliser(**limits: Any) -> NormaliseStage:
    return NormaliseStage(Decoder(**limits), TOPICS, Metrics())


def meter(metrics: Metrics | None = None) -> MeterStage:
    return MeterStage(Decoder(feedback=True), Pipeline(CONFIG), TOPICS, metrics or Metrics(), partition=3)


def usage(*events: UsageEvent) -> bytes:
    return msgspec.json.encode(events)


def test_raw_records_become_usage_events_keyed_by_tenant() -> None:
    stage = normaliser()
    record = Fake(usage(event(1), event(2, tenant="beta")), TOPICS.raw)
    outs = list(stage.apply([record], NOW))
    assert [(out.topic, out.key) for out in outs] == [(TOPICS.usage, "acme"), (TOPICS.usage, "beta")]
    assert msgspec.json.decode(outs[1].value or b"", type=UsageEvent) == event(2, tenant="beta")


def test_the_headers_of_a_record_tell_its_format() -> None:
    stage = normaliser(default_tenant="acme")
    attributes = {"specversion": "1.0", "id": "7", "source": "s", "type": "x", "time": NOON.isoformat()}
    headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
    record = Fake(b'{"model": "gpt-4o"}', TOPICS.raw, headers=[*headers, ("content-type", b"application/json")])
    (out,) = stage.apply([record], NOW)
    assert (out.topic, msgspec.json.decode(out.value or b"", type=UsageEvent).id) == (TOPICS.usage, "7")


def test_headers_that_are_no_text_are_left_out() -> None:
    record = Fake(b"", headers=[("A", b"\xff"), ("B", b"text")])
    assert headers_of(record.headers) == {"b": "text"}


def test_a_header_without_a_value_stops_nothing() -> None:
    records = [
        Fake(value, TOPICS.raw, place, headers=[("ce_id", None), ("trace", None)])
        for place, value in enumerate([usage(event(1)), b"no event"])
    ]
    outs = list(normaliser().apply(records, NOW))
    assert [out.topic for out in outs] == [TOPICS.usage, TOPICS.dead_letters]


def letters(outs: Iterable[Out]) -> list[dict[str, Any]]:
    return [msgspec.json.decode(out.value or b"") for out in outs if out.topic == TOPICS.dead_letters]


def test_what_is_rejected_goes_to_the_dead_letters_with_its_reason_and_position() -> None:
    metrics = Metrics()
    stage = NormaliseStage(Decoder(), TOPICS, metrics)
    bad = {**msgspec.to_builtins(event(2)), "input_tokens": -1, "messages": [{"content": WORDS}]}
    record = Fake(orjson.dumps([msgspec.to_builtins(event(1)), bad], default=str), TOPICS.raw, 41, 3)
    good, rejected = stage.apply([record], NOW)
    assert (good.topic, rejected.topic, rejected.key) == (TOPICS.usage, TOPICS.dead_letters, TOPICS.raw)
    (letter,) = letters([rejected])
    place = {"reason": "negative_count", "topic": TOPICS.raw, "partition": 3, "offset": 41, "item": 1}
    assert place.items() <= letter.items()
    assert letter["size"] == len(record.value or b"")
    assert letter["at"] == "2026-11-22T12:00:00Z"
    assert sample(metrics, "tidegate_rejected_total", reason="negative_count") == 1


@pytest.mark.parametrize(
    "value",
    [
        {"tenant": "acme", "messages": [{"role": "user", "content": WORDS}]},
        {"id": "1", "time": "never", "tenant": "acme", "prompt": WORDS},
        {"what": WORDS},
        {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": WORDS},
        [WORDS],
    ],
)
def test_a_dead_letter_carries_nobodys_words(value: Any) -> None:
    stages = (normaliser(), meter())
    found = [letter for stage in stages for letter in letters(stage.apply([Fake(orjson.dumps(value))], NOW))]
    assert len(found) == 2
    for letter in found:
        assert WORDS.encode() not in base64.b64decode(letter["record"])
        assert WORDS not in letter["detail"]


@pytest.mark.parametrize("batch", [b'[%s,{"what": "%s"}]', b'%s\n{"what": "%s"}'])
def test_a_dead_letter_of_a_batch_carries_its_own_item_alone(batch: bytes) -> None:
    bad = orjson.dumps({"id": "2", "time": "2026-11-22T12:00:00Z", "tenant": "acme", "steps": -1})
    first, second = letters(normaliser().apply([Fake(batch % (bad, WORDS.encode()))], NOW))
    assert base64.b64decode(first["record"]) == bad
    assert base64.b64decode(second["record"]) == b'{"what":"[removed]"}'
    assert [letter["item"] for letter in (first, second)] == [0, 1]


@pytest.mark.parametrize("value", [b"[" * 5000, b'[{"a":' * 600 + b"1" + b"}]" * 600, b"[]", b"{}\n[", b"\xff\n\xfe"])
def test_a_dead_letter_can_be_made_of_any_bytes(value: bytes) -> None:
    assert letters(normaliser().apply([Fake(value)], NOW))


def test_of_a_record_that_is_too_large_the_dead_letter_carries_nothing() -> None:
    (letter,) = letters(normaliser(max_record_bytes=10).apply([Fake(b"x" * 11)], NOW))
    assert (letter["reason"], letter["record"], letter["size"], letter["truncated"]) == ("too_large", "", 11, True)


def test_a_tombstone_is_rejected_and_breaks_nothing() -> None:
    for stage in (normaliser(), meter(), alerting()):
        assert [letter["reason"] for letter in letters(stage.apply([Fake(None)], NOW))] == ["undecodable"]


def test_a_record_that_breaks_the_stage_is_put_aside_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = alerting()
    submit = stage.desk.submit

    def breaking(alert: Any, now: float) -> Any:
        if alert.id == "bad":
            raise RuntimeError("a bug")
        return submit(alert, now)

    monkeypatch.setattr(stage.desk, "submit", breaking)
    outs = list(stage.apply([anomaly(), anomaly(id="bad"), anomaly(id="loop-2", tenant="beta")], NOW))
    (letter,) = letters(outs)
    assert (letter["reason"], letter["detail"]) == ("failed", "RuntimeError")
    assert [out.key for out in outs if out.topic == TOPICS.throttle] == [RUNAWAY, RUNAWAY.replace("acme", "beta")]


def test_the_normaliser_has_no_state() -> None:
    stage = normaliser()
    list(stage.apply([Fake(usage(event()))], NOW))
    stage.restore({})
    assert (list(stage.tick(NOW)), list(stage.changes())) == ([], [])


def tool_call(number: int) -> UsageEvent:
    return event(
        number,
        number,
        use_case="support",
        agent="triage",
        session="runaway",
        kind="tool",
        tool="search",
        tool_args_hash="aa",
        tool_calls=1,
        cost_usd=Decimal("0.25"),
    )


def test_usage_is_metered_and_a_loop_is_an_anomaly_keyed_by_tenant() -> None:
    metrics = Metrics()
    stage = meter(metrics)
    outs = [out for n in range(12) for out in stage.apply([Fake(usage(tool_call(n)), offset=n)], NOW + n)]
    anomalies = [out for out in outs if out.topic == TOPICS.anomalies]
    first = msgspec.json.decode(anomalies[0].value or b"", type=Anomaly)
    assert (anomalies[0].key, first.kind, first.state) == ("acme", "loop", "opened")
    rollups = {
        out.key: msgspec.json.decode(out.value or b"", type=Rollup) for out in outs if out.topic == TOPICS.rollups
    }
    assert all(key == rollup.series for key, rollup in rollups.items())
    total = next(rollup for rollup in rollups.values() if rollup.level == "tenant")
    assert (total.events, total.usd) == (10, Decimal("2.50"))
    stage.report()
    assert sample(metrics, "tidegate_anomalies_total", kind="loop") == 1
    assert sample(metrics, "tidegate_events_total", outcome="counted") == 12


def test_ticks_close_the_windows_of_silent_tenants() -> None:
    stage = meter()
    assert not list(stage.apply([Fake(usage(event()))], NOW))
    assert {out.topic for out in stage.tick(NOW + 60)} == {TOPICS.rollups}


def test_the_rollups_of_sessions_are_on_a_topic_of_their_own() -> None:
    stage = meter()
    assert not list(stage.apply([Fake(usage(event(session="s", agent="a")))], NOW))
    found = by_topic(stage.tick(NOW + 60))
    assert [one["level"] for one in found[TOPICS.session_rollups]] == ["session"]
    assert {one["level"] for one in found[TOPICS.rollups]} == {"tenant", "agent"}


def test_good_events_of_a_record_count_though_others_are_rejected() -> None:
    stage = meter()
    record = Fake(usage(event(1))[:-1] + b',{"id":"2"}]')
    assert [letter["item"] for letter in letters(stage.apply([record], NOW))] == [1]
    assert by_topic(stage.tick(NOW + 60))[TOPICS.rollups][0]["events"] == 1


def test_a_meter_stage_tells_whom_each_record_changed_and_whose_each_output_is() -> None:
    stage = meter()
    values = [
        usage(event(1)),
        usage(event(2), event(3)),
        usage(event(4), event(5, tenant="beta")),
        b"{",
        usage(event(6)),
    ]
    outs = list(stage.apply([Fake(value, offset=7 + place) for place, value in enumerate(values)], NOW))
    assert stage.touched() == {"acme": [7, 8, 9, 11], "beta": [9], None: [10]}
    assert stage.touched() == {}
    assert [out.owner for out in outs] == [None]
    assert {(out.owner, msgspec.json.decode(out.value or b"")["tenant"]) for out in stage.tick(NOW + 60)} == {
        ("acme", "acme"),
        ("beta", "beta"),
    }
    assert {place_of(name)[1] for name, _ in stage.changes("beta")} == {"beta"}
    assert set(stage.owners()) == {"acme"}


def test_what_a_meter_stage_remembers_survives_a_restart() -> None:
    stage = meter()
    for n in range(5):
        list(stage.apply([Fake(usage(tool_call(n)))], NOW + n))
    parts = {name: part for name, part in stage.changes() if part is not None}
    again = meter()
    again.restore(parts)
    rest = [Fake(usage(tool_call(n))) for n in range(3, 12)]
    expected = [out for record in rest for out in stage.apply([record], NOW + 9)]
    assert expected
    assert [out for record in rest for out in again.apply([record], NOW + 9)] == expected


def alerting(metrics: Metrics | None = None) -> AlertStage:
    return AlertStage(desk_of(CONFIG), TOPICS, metrics or Metrics())


def anomaly(state: AnomalyState = "opened", seconds: float = 0, **fields: Any) -> Fake:
    """A record that tells of a loop."""
    told = Anomaly(
        **{
            "id": "loop-1",
            "state": state,
            "kind": "loop",
            "tenant": "acme",
            "scope": Scope(use_case="support", agent="triage", session="runaway", tool="search"),
            "series": "acme/session=runaway#loop",
            "detector": "loop",
            "opened_at": NOON,
            "updated_at": NOON + timedelta(seconds=seconds),
            "closed_at": NOON + timedelta(seconds=seconds) if state == "closed" else None,
            "severity": "warning",
            "observed": 12,
            "expected": 1,
            "score": 0.9,
            "usd_per_hour": Decimal("18.20"),
            "reason": "search called 12 times with the same arguments in 40 s",
            **fields,
        }
    )
    return Fake(msgspec.json.encode(told), TOPICS.anomalies)


def ack(command: str) -> Fake:
    told = Ack(command=command, gateway="edge-1", state="applied", at=utc(NOW + 1))
    return Fake(msgspec.json.encode(told), TOPICS.acks)


def test_a_loop_is_a_command_for_its_scope_and_then_an_incident() -> None:
    metrics = Metrics()
    stage = alerting(metrics)
    throttle, incident = stage.apply([anomaly()], NOW)
    assert (throttle.topic, throttle.key) == (TOPICS.throttle, RUNAWAY)
    command = msgspec.json.decode(throttle.value or b"", type=Command)
    assert (command.scope.key(), command.action, command.mode, command.generation) == (RUNAWAY, "pause", "enforce", 1)
    assert (command.reason.incident, command.reason.usd_per_hour) == (incident.key, "18.20")
    assert incident.topic == TOPICS.alerts
    told = msgspec.json.decode(incident.value or b"")
    assert (told["id"], told["state"], told["commands"]) == (incident.key, "open", [RUNAWAY])
    assert sample(metrics, "tidegate_commands_total", action="pause", mode="enforce") == 1


def test_the_same_anomaly_again_is_no_second_command() -> None:
    stage = alerting()
    list(stage.apply([anomaly()], NOW))
    assert TOPICS.throttle not in by_topic(stage.apply([anomaly()], NOW + 1))


def test_the_word_of_a_gateway_is_noted_in_the_incident() -> None:
    stage = alerting()
    throttle, _ = stage.apply([anomaly()], NOW)
    command = msgspec.json.decode(throttle.value or b"", type=Command)
    assert list(stage.apply([ack(command.id)], NOW + 1)) == []
    (incident,) = by_topic(stage.tick(NOW + 1))[TOPICS.alerts]
    assert incident["notes"][-1] == "gateway edge-1: applied at 12:00:01 UTC"


def test_the_word_on_a_command_that_nobody_knows_changes_nothing() -> None:
    stage = alerting()
    assert list(stage.apply([ack("unknown")], NOW)) == []
    assert list(stage.tick(NOW)) == []


@pytest.mark.parametrize("topic", [TOPICS.anomalies, TOPICS.acks])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"garbage", "undecodable"),
        (b"", "undecodable"),
        (b'{"id": "\xff", "command": "\xff"}', "undecodable"),
        (b'{"id": "x"', "undecodable"),
        (b"[1]", "wrong_type"),
        (b"{}", "missing_field"),
    ],
)
def test_garbage_goes_to_the_dead_letters(topic: str, value: bytes, reason: str) -> None:
    metrics = Metrics()
    stage = alerting(metrics)
    (letter,) = letters(stage.apply([Fake(value, topic, 9)], NOW))
    found = (letter["topic"], letter["offset"], letter["reason"].replace("missing_id", "missing_field"))
    assert found == (topic, 9, reason)
    assert sample(metrics, "tidegate_rejected_total", reason=letter["reason"]) == 1


def test_an_unknown_word_is_not_repeated_in_the_dead_letter() -> None:
    value = orjson.loads(ack("c").value or b"") | {"state": WORDS}
    (letter,) = letters(alerting().apply([Fake(orjson.dumps(value), TOPICS.acks)], NOW))
    assert letter["reason"] == "wrong_type"
    assert WORDS not in letter["detail"]


def test_when_the_loop_is_over_the_command_is_released_and_later_buried() -> None:
    metrics = Metrics()
    stage = alerting(metrics)
    list(stage.apply([anomaly()], NOW))
    list(stage.apply([anomaly("closed", 5)], NOW + 5))
    assert TOPICS.throttle not in by_topic(stage.tick(NOW + 9))
    stage.report()
    assert sample(metrics, "tidegate_commands_live") == 1
    (release,) = by_topic(stage.tick(NOW + 10))[TOPICS.throttle]
    assert (release["action"], release["generation"]) == ("release", 2)
    stage.report()
    assert sample(metrics, "tidegate_commands_live") == 0
    assert by_topic(stage.tick(NOW + 400))[TOPICS.throttle] == [None]


def test_incidents_and_commands_survive_a_restart() -> None:
    stage = alerting()
    list(stage.apply([anomaly()], NOW))
    list(stage.apply([anomaly(id="loop-2", tenant="beta")], NOW + 1))
    parts = {name: part for name, part in stage.changes() if part is not None}
    again = alerting()
    again.restore(parts)
    assert [command.scope.tenant for command in again.desk.ledger.live()] == ["acme", "beta"]
    assert again.desk.ledger.live() == stage.desk.ledger.live()
    pending = list(stage.desk.dispatcher.pending(NOW + 2))
    assert len(pending) == 2
    assert list(again.desk.dispatcher.pending(NOW + 2)) == pending
    assert list(stage.tick(NOW + 2)) == []
    assert len(list(again.tick(NOW + 2))) == 2
    assert list(again.apply([anomaly("closed", 5)], NOW + 5)) == list(stage.apply([anomaly("closed", 5)], NOW + 5))
    assert list(again.tick(NOW + 30)) == list(stage.tick(NOW + 30))


def test_what_was_written_down_and_not_told_yet_is_told_after_a_restart() -> None:
    """A checkpoint may come between the word of a gateway, or of a person, and the tick that tells of it."""
    stage = alerting()
    throttle, told = stage.apply([anomaly()], NOW)
    command = msgspec.json.decode(throttle.value or b"", type=Command)
    assert list(stage.apply([ack(command.id)], NOW + 1)) == []
    again = alerting()
    again.restore({name: part for name, part in stage.changes() if part is not None})
    (incident,) = by_topic(again.tick(NOW + 2))[TOPICS.alerts]
    assert (incident["id"], incident["notes"][-1]) == (told.key, "gateway edge-1: applied at 12:00:01 UTC")
    assert list(again.tick(NOW + 3)) == []


def test_only_what_changed_is_written_down_and_what_is_gone_is_dropped() -> None:
    stage = alerting()
    (throttle, incident) = stage.apply([anomaly()], NOW)
    assert {name for name, _ in stage.changes()} == {f"incident/{incident.key}", f"command/{throttle.key}"}
    assert list(stage.changes()) == []
    list(stage.apply([anomaly("closed", 5)], NOW + 5))
    list(stage.tick(NOW + 20))
    list(stage.changes())
    list(stage.tick(NOW + 400))
    assert (f"command/{throttle.key}", None) in list(stage.changes())


def test_the_severities_of_both_sides_are_the_same() -> None:
    severity = Anomaly.__annotations__["severity"]
    assert set(RANK) == set(severity.__args__)
