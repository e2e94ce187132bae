"""Feedback on its way through the stages: checked, addressed, and heeded in its order among the events."""

from collections.abc import Iterable
from typing import Any

import msgspec
import orjson
import pytest

from streamer.config import Config
from streamer.events.decoder import Decoder
from streamer.events.usage import UsageEvent
from streamer.kafka.stage import Out
from streamer.kafka.stages import AlertStage, MeterStage, NormaliseStage
from streamer.pipeline import Pipeline
from streamer.records import Anomaly
from streamer.web.metrics import Metrics
from streamer.wiring import desk_of
from tests.streamer.kafka.fakes import TOPICS, Fake, sample
from tests.streamer.samples import NOON, NOW, event

FEEDBACK: dict[str, Any] = {
    "schema": "tidegate.feedback/1",
    "id": "f1",
    "time": "2026-11-22T12:00:00Z",
    "tenant": "acme",
    "verdict": "false_alarm",
    "series": "tenant=acme/session=s1#loop",
}
BY_INCIDENT = {"id": "f1", "schema": FEEDBACK["schema"], "time": FEEDBACK["time"], "verdict": "expected"}


def values(outs: Iterable[Out], topic: str) -> list[Any]:
    return [orjson.loads(out.value or b"null") for out in outs if out.topic == topic]


def said(topic: str = TOPICS.feedback, **changes: Any) -> Fake:
    return Fake(orjson.dumps({**FEEDBACK, **changes}), topic)


def alerting(metrics: Metrics | None = None) -> AlertStage:
    return AlertStage(desk_of(Config()), TOPICS, metrics or Metrics())


def metering(metrics: Metrics | None = None) -> MeterStage:
    return MeterStage(Decoder(feedback=True), Pipeline(Config()), TOPICS, metrics or Metrics(), partition=0)


def told(name: str, tenant: str = "acme") -> Fake:
    fields = {
        "id": name,
        "kind": "loop",
        "tenant": tenant,
        "scope": {},
        "series": f"{tenant}#{name}",
        "detector": "loop",
    }
    numbers = {"severity": "warning", "observed": 1, "expected": 1, "score": 0.9, "reason": "x"}
    return Fake(orjson.dumps({**fields, **numbers, "opened_at": NOON, "updated_at": NOON}), TOPICS.anomalies)


def turns(first: int, times: int) -> list[UsageEvent]:
    """One call of a session, over and over."""
    fields = {"session": "s1", "kind": "tool", "tool": "search", "tool_args_hash": "x"}
    return [event(f"turn-{n}", n, **fields) for n in range(first, first + times)]


def usage(events: Iterable[UsageEvent]) -> list[Fake]:
    return [Fake(msgspec.json.encode(one)) for one in events]


def test_feedback_that_names_its_tenant_goes_to_the_tenants_usage() -> None:
    (out,) = alerting().apply([said()], NOW)
    assert (out.topic, out.key) == (TOPICS.usage, "acme")
    assert FEEDBACK.items() <= orjson.loads(out.value or b"").items()


def test_feedback_on_an_incident_goes_to_each_of_its_anomalies() -> None:
    stage = alerting()
    outs = list(stage.apply([told("a1"), told("a2"), told("b1", "beta")], NOW))
    incidents = {alert: out["id"] for out in values(outs, TOPICS.alerts) for alert in out["alerts"]}
    assert incidents["a1"] == incidents["a2"] != incidents["b1"]
    record = Fake(orjson.dumps({**BY_INCIDENT, "incident": incidents["a1"]}), TOPICS.feedback)
    forwarded = list(stage.apply([record], NOW))
    assert [out.key for out in forwarded] == ["acme", "acme"]
    assert {found["anomaly"] for found in values(forwarded, TOPICS.usage)} == {"a1", "a2"}
    one = Fake(orjson.dumps({**BY_INCIDENT, "incident": incidents["a1"], "anomaly": "a2"}), TOPICS.feedback)
    assert [found["anomaly"] for found in values(stage.apply([one], NOW), TOPICS.usage)] == ["a2"]
    # Whoever names a tenant speaks of no other's anomalies.
    other = Fake(orjson.dumps({**BY_INCIDENT, "incident": incidents["a1"], "tenant": "beta"}), TOPICS.feedback)
    assert list(stage.apply([other], NOW)) == []


@pytest.mark.parametrize("verdict", ["acknowledge", "mute"])
def test_what_only_the_incident_is_to_hear_is_forwarded_to_no_detector(verdict: str) -> None:
    metrics = Metrics()
    stage = alerting(metrics)
    (out,) = values(stage.apply([told("a1")], NOW), TOPICS.alerts)
    record = Fake(
        orjson.dumps({**BY_INCIDENT, "verdict": verdict, "incident": out["id"], "by": "ann"}), TOPICS.feedback
    )
    assert [*stage.apply([record], NOW), *stage.apply([record], NOW)] == []
    (incident,) = values(stage.tick(NOW), TOPICS.alerts)
    assert incident["acknowledged"]["by"] == "ann"
    assert len(incident["notes"]) == 1
    assert sample(metrics, "tidegate_feedback_total", verdict=verdict, outcome="applied") == 1
    assert sample(metrics, "tidegate_feedback_total", verdict=verdict, outcome="repeated") == 1


def test_what_was_said_survives_a_restart_of_the_stage() -> None:
    """The mute holds on, and the word counts no second time."""
    stage, again = alerting(), alerting()
    list(stage.apply([told("a1")], NOW))
    muted = said(verdict="mute", series="", scope={}, until="2026-11-22T13:00:00Z")
    list(stage.apply([muted], NOW))
    again.restore({key: part for key, part in stage.changes() if part is not None})
    assert [silence.match for silence in again.desk.dispatcher.silences.active(NOW)] == [{"tenant": "acme"}]
    assert list(again.desk.dispatcher.pending(NOW + 3599)) == []
    assert len(list(again.desk.dispatcher.pending(NOW + 3600))) == 1
    list(again.apply([muted], NOW))
    assert list(again.desk.heard.changes()) == []


def test_why_people_were_told_or_not_is_counted() -> None:
    metrics = Metrics()
    stage = alerting(metrics)
    list(stage.apply([told("a1")], NOW))
    for second in range(8):
        list(stage.tick(NOW + second / 4))
    list(stage.tick(NOW + 3))
    stage.report()
    counted = {
        why: sample(metrics, "tidegate_notification_decisions_total", reason=why) for why in ("group_wait", "new")
    }
    assert counted == {"group_wait": 1, "new": 1}


def test_feedback_on_an_incident_that_nobody_knows_is_counted_and_no_error() -> None:
    metrics = Metrics()
    record = Fake(orjson.dumps({**BY_INCIDENT, "incident": "gone"}), TOPICS.feedback)
    assert list(alerting(metrics).apply([record], NOW)) == []
    assert sample(metrics, "tidegate_feedback_total", verdict="expected", outcome="unknown") == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schema": "tidegate.feedback/9"}, "unknown_format"),
        ({"schema": "tidegate.throttle/1"}, "unknown_format"),
        ({"verdict": "planned"}, "missing_field"),
        ({"series": ""}, "missing_field"),
        ({"tenant": ""}, "missing_tenant"),
        ({"time": "2026-11-22T12:05:01Z"}, "impossible_time"),
    ],
)
def test_feedback_that_cannot_be_used_goes_to_the_dead_letters(changes: dict[str, Any], reason: str) -> None:
    metrics = Metrics()
    (letter,) = values(alerting(metrics).apply([said(**changes)], NOW), TOPICS.dead_letters)
    assert (letter["reason"], letter["topic"]) == (reason, TOPICS.feedback)
    assert sample(metrics, "tidegate_rejected_total", reason=reason) == 1


@pytest.mark.parametrize(
    ("value", "reason"),
    [(b"garbage", "undecodable"), (b"", "undecodable"), (b'{"id": "\xff"}', "undecodable"), (b"[1]", "wrong_type")],
)
def test_garbage_on_the_topic_of_feedback_stops_nothing(value: bytes, reason: str) -> None:
    letter, good = alerting().apply([Fake(value, TOPICS.feedback, 9), said()], NOW)
    assert orjson.loads(letter.value or b"")["reason"] == reason
    assert good.topic == TOPICS.usage


def test_what_is_forwarded_is_what_the_meter_takes() -> None:
    metrics = Metrics()
    stage = metering(metrics)
    opened = values(stage.apply(usage(turns(0, 8)), NOW), TOPICS.anomalies)[0]
    forwarded = alerting().apply([said(time="2026-11-22T12:00:08Z")], NOW)
    found = values(stage.apply([Fake(out.value) for out in forwarded], NOW + 8), TOPICS.anomalies)
    assert [(one["id"], one["state"]) for one in found] == [(opened["id"], "closed")]
    stage.report()
    assert sample(metrics, "tidegate_feedback_total", verdict="false_alarm", outcome="applied") == 1
    assert sample(metrics, "tidegate_rejected_total", reason="unknown_format") == 0


@pytest.mark.parametrize("cuts", [[], [8], [9], [3, 8, 9, 12]])
def test_feedback_holds_from_its_place_among_the_events_however_they_are_cut_into_runs(cuts: list[int]) -> None:
    records = [*usage(turns(0, 8)), said(TOPICS.usage, time="2026-11-22T12:00:08Z"), *usage(turns(8, 8))]
    stage, found = metering(), []
    for start, end in zip([0, *cuts], [*cuts, len(records)], strict=True):
        found += values(stage.apply(records[start:end], NOW), TOPICS.anomalies)
    assert [one["state"] for one in found] == ["opened", "updated", "updated", "closed"]


def test_a_policy_survives_a_restart_of_the_stage() -> None:
    stage, again = metering(), metering()
    list(stage.apply([*usage(turns(0, 8)), said(TOPICS.usage, time="2026-11-22T12:00:08Z")], NOW))
    again.restore({key: part for key, part in stage.changes() if part is not None})
    assert values(again.apply(usage(turns(8, 8)), NOW), TOPICS.anomalies) == []


def test_an_error_of_ours_takes_nothing_else_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object, __: object) -> None:
        raise RuntimeError("ours")

    monkeypatch.setattr(Pipeline, "feedback", broken)
    records = [*usage(turns(0, 3)), said(TOPICS.usage), *usage(turns(3, 5))]
    outs = list(metering().apply(records, NOW))
    assert [letter["reason"] for letter in values(outs, TOPICS.dead_letters)] == ["failed"]
    opened = msgspec.convert(values(outs, TOPICS.anomalies)[0], Anomaly, strict=False)
    assert (opened.kind, opened.state) == ("loop", "opened")


def test_whoever_may_send_usage_is_not_to_say_what_is_no_alarm() -> None:
    stage = NormaliseStage(Decoder(), TOPICS, Metrics())
    (letter,) = values(stage.apply([said(TOPICS.raw)], NOW), TOPICS.dead_letters)
    assert (letter["reason"], letter["detail"]) == (
        "unknown_format",
        "feedback is not taken here: it has a topic of its own",
    )
