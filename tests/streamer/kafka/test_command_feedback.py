"""People's words on commands, and who may say them: from the topic of feedback to that of commands."""

from collections.abc import Iterable
from typing import Any

import msgspec
import orjson
import pytest

from alerts.throttle.command import Ack
from streamer.clock import utc
from streamer.config import Config, TrustConfig
from streamer.kafka.stage import AT_ONCE, SOON, Out
from streamer.kafka.stages import AlertStage
from streamer.web.metrics import Metrics
from streamer.wiring import desk_of
from tests.streamer.kafka.fakes import TOPICS, Fake, sample
from tests.streamer.samples import NOON, NOW

SUGGEST = {"kind": "loop", "scope": "session", "action": "pause", "mode": "suggest"}
KEY = "tenant=acme/session=s1"


def alerting(metrics: Metrics | None = None, trust: TrustConfig | None = None, **throttle: Any) -> AlertStage:
    config = Config.model_validate({"throttle": {"policies": [SUGGEST], **throttle}})
    return AlertStage(desk_of(config), TOPICS, metrics or Metrics(), trust=trust or TrustConfig())


def anomaly(name: str = "a1", state: str = "opened", session: str = "s1", **fields: Any) -> Fake:
    told = {
        "id": name,
        "state": state,
        "kind": "loop",
        "tenant": "acme",
        "scope": {"agent": "triage", "session": session},
        "series": f"acme#{name}",
        "detector": "loop",
        "opened_at": NOON,
        "updated_at": NOON,
        "severity": "warning",
        "observed": 6,
        "expected": 1,
        "score": 0.9,
        "usd_per_hour": "18.20",
        "reason": "search called 6 times",
        **fields,
    }
    return Fake(orjson.dumps(told), TOPICS.anomalies)


def word(verdict: str, name: str = "w1", **fields: Any) -> Fake:
    said = {"schema": "tidegate.feedback/1", "id": name, "time": NOON, "verdict": verdict, "by": "ann", **fields}
    return Fake(orjson.dumps(said), TOPICS.feedback)


def commands(outs: Iterable[Out]) -> list[tuple[str, str, str]]:
    """The commands among some outputs, as (key, action, mode)."""
    found = [(out.key, orjson.loads(out.value)) for out in outs if out.topic == TOPICS.throttle and out.value]
    return [(key, command["action"], command["mode"]) for key, command in found]


def incident_of(stage: AlertStage) -> str:
    (incident,) = stage.desk.dispatcher.open_incidents()
    return incident.id


def outcome(metrics: Metrics, verdict: str, what: str) -> float:
    return sample(metrics, "tidegate_feedback_total", verdict=verdict, outcome=what)


@pytest.mark.parametrize("named", ["incident", "anomaly", "scope", "incident and scope"])
def test_a_person_makes_a_command_of_a_suggestion_however_it_is_named(named: str) -> None:
    metrics = Metrics()
    stage = alerting(metrics)
    assert commands(stage.apply([anomaly()], NOW)) == [(KEY, "pause", "suggest")]
    scope = {"tenant": "acme", "scope": {"session": "s1"}}
    about = {
        "incident": {"incident": incident_of(stage)},
        "anomaly": {"tenant": "acme", "anomaly": "a1"},
        "scope": scope,
        "incident and scope": {"incident": incident_of(stage), **scope},
    }[named]
    assert commands(stage.apply([word("throttle", **about)], NOW + 1)) == [(KEY, "pause", "enforce")]
    assert outcome(metrics, "throttle", "applied") == 1
    notes = stage.desk.dispatcher.open_incidents()[0].notes
    assert "ann throttles it" in notes
    assert notes[-1].startswith(f"told gateways to pause {KEY}")


def test_a_person_lets_a_command_go_and_it_does_not_come_back_for_the_same_alert() -> None:
    stage = alerting(policies=[{**SUGGEST, "mode": "enforce"}])
    list(stage.apply([anomaly()], NOW))
    outs = list(stage.apply([word("release", incident=incident_of(stage))], NOW + 1))
    assert commands(outs) == [(KEY, "release", "enforce")]
    told = [orjson.loads(out.value or b"") for out in stage.tick(NOW + 1) if out.topic == TOPICS.alerts]
    assert told[-1]["commands"] == []
    assert "ann lets it go" in told[-1]["notes"]
    going_on = anomaly(state="updated", updated_at="2026-11-22T12:01:00Z")
    assert commands(stage.apply([going_on], NOW + 60)) == []
    assert commands(stage.apply([anomaly("a2")], NOW + 61)) == [(KEY, "pause", "enforce")]


def test_a_word_that_comes_twice_counts_once_also_after_a_restart() -> None:
    metrics = Metrics()
    stage = alerting(metrics)
    list(stage.apply([anomaly()], NOW))
    said = word("throttle", incident=incident_of(stage))
    list(stage.apply([said], NOW + 1))
    list(stage.apply([word("release", "w2", incident=incident_of(stage))], NOW + 2))
    again = alerting(metrics)
    again.restore({key: part for key, part in stage.changes() if part is not None})
    assert commands(again.apply([said], NOW + 3)) == []
    assert outcome(metrics, "throttle", "repeated") == 1


def test_a_word_on_nothing_that_is_open_is_counted_as_unknown() -> None:
    metrics = Metrics()
    stage = alerting(metrics)
    list(stage.apply([anomaly()], NOW))
    unknown = [
        word("throttle", "1", incident="gone"),
        word("release", "2", tenant="acme", anomaly="gone"),
        word("throttle", "3", tenant="acme", series="tenant=acme/model=gpt-4o#tokens", anomaly="gone"),
        word("throttle", "4", tenant="beta", incident=incident_of(stage)),
        word("release", "5", tenant="acme", scope={"session": "s2"}),
    ]
    assert commands(stage.apply(unknown, NOW + 1)) == []
    assert outcome(metrics, "throttle", "unknown") == 3
    assert outcome(metrics, "release", "unknown") == 2


def test_a_person_may_throttle_what_nothing_is_known_of_one_tool_or_until_a_time() -> None:
    stage = alerting()
    scope = {"agent": "writer", "tool": "search"}
    said = word("throttle", tenant="acme", scope=scope, until="2026-11-22T12:10:00Z")
    (out,) = [out for out in stage.apply([said], NOW) if out.topic == TOPICS.throttle]
    command = orjson.loads(out.value or b"")
    assert (command["action"], command["params"]) == ("block_tool", {"tool": "search"})
    assert (command["scope"], command["expires_at"]) == (
        {"tenant": "acme", "agent": "writer"},
        "2026-11-22T12:10:00Z",
    )
    assert commands(stage.tick(NOW + 600)) == [("tenant=acme/agent=writer", "release", "enforce")]


@pytest.mark.parametrize("part", ["/agent=triage", "/use_case=support/agent=triage", "/session=s1", "/agent=c#", ""])
def test_who_throttles_a_series_throttles_its_part_and_no_more(part: str) -> None:
    stage = alerting()
    said = word("throttle", tenant="acme", series=f"tenant=acme{part}#requests")
    assert commands(stage.apply([said], NOW)) == [(f"tenant=acme{part}", "pause", "enforce")]
    elsewhere = word("release", "w2", tenant="acme", series="tenant=acme/agent=writer#requests")
    assert commands(stage.apply([elsewhere], NOW + 1)) == []


def test_to_let_a_tenant_go_lets_all_of_it_go() -> None:
    stage = alerting(policies=[{**SUGGEST, "mode": "enforce"}])
    list(stage.apply([anomaly(), anomaly("a2", session="s2")], NOW))
    released = commands(stage.apply([word("release", tenant="acme")], NOW + 1))
    assert sorted(key for key, _, _ in released) == [KEY, "tenant=acme/session=s2"]


def test_what_a_guard_rail_forbids_is_refused_to_people_too_and_they_are_told() -> None:
    metrics = Metrics()
    stage = alerting(metrics, max_live=1)
    list(stage.apply([anomaly(), anomaly("a2", session="s2")], NOW))
    said = word("throttle", incident=incident_of(stage), anomaly="a2", tenant="acme")
    assert commands(stage.apply([said], NOW + 1)) == []
    assert outcome(metrics, "throttle", "refused") == 1
    assert "refused, by the guard rails" in stage.desk.dispatcher.open_incidents()[0].notes[-1]
    stage.report()
    assert sample(metrics, "tidegate_commands_refused_total", why="too_many") == 2


def test_words_on_commands_are_not_forwarded_to_the_meter() -> None:
    stage = alerting()
    list(stage.apply([anomaly()], NOW))
    outs = list(stage.apply([word("throttle", incident=incident_of(stage))], NOW))
    assert {out.topic for out in outs} == {TOPICS.throttle}


@pytest.mark.parametrize("verdict", ["throttle", "release", "expected"])
def test_whoever_is_not_named_by_the_configuration_is_refused_with_the_reason(verdict: str) -> None:
    metrics = Metrics()
    stage = alerting(metrics, TrustConfig(people=("*@example.com",)))
    list(stage.apply([anomaly()], NOW))
    (out,) = stage.apply([word(verdict, incident=incident_of(stage))], NOW)
    letter = orjson.loads(out.value or b"")
    assert (out.topic, letter["reason"]) == (TOPICS.dead_letters, "not_allowed")
    assert sample(metrics, "tidegate_rejected_total", reason="not_allowed") == 1
    outs = list(stage.apply([word(verdict, incident=incident_of(stage), by="ann@example.com")], NOW))
    assert outs
    assert TOPICS.dead_letters not in {out.topic for out in outs}


def test_gateways_that_are_not_named_cannot_acknowledge() -> None:
    metrics = Metrics()
    stage = alerting(metrics, TrustConfig(gateways=("edge-1",)), policies=[{**SUGGEST, "mode": "enforce"}])
    (throttle, _) = stage.apply([anomaly()], NOW)
    name = orjson.loads(throttle.value or b"")["id"]
    acks = [
        Fake(msgspec.json.encode(Ack(command=name, gateway=gateway, state="applied", at=utc(NOW))), TOPICS.acks)
        for gateway in ("edge-1", "edge-2")
    ]
    (letter,) = stage.apply(acks, NOW + 1)
    assert orjson.loads(letter.value or b"")["reason"] == "not_allowed"
    assert sample(metrics, "tidegate_acks_total", state="applied") == 1
    notes = stage.desk.dispatcher.open_incidents()[0].notes
    assert [note for note in notes if "gateway" in note and "edge" in note] == [
        "gateway edge-1: applied at 12:00:00 UTC"
    ]


def test_a_command_that_takes_anothers_place_holds_neither_incident_for_ever() -> None:
    """Else the first incident would never be said to be over."""
    stage = alerting(policies=[{**SUGGEST, "mode": "enforce", "action": "limit_rate", "params": SLOW}, BURST])
    list(stage.apply([anomaly()], NOW))
    list(stage.apply([anomaly("b1", kind="burst")], NOW + 1))
    list(stage.apply([anomaly("a1", "closed"), anomaly("b1", "closed", kind="burst")], NOW + 2))
    list(stage.tick(NOW + 100))
    assert [incident.commands for incident in stage.desk.dispatcher.holding("a1")] == [[]]
    assert [incident.commands for incident in stage.desk.dispatcher.holding("b1")] == [[]]


SLOW = {"requests_per_minute": 6}
BURST = {"kind": "burst", "scope": "session", "action": "pause", "mode": "enforce"}


def test_a_command_is_committed_at_once_and_what_people_read_of_its_answer_does_not_hurry_the_next() -> None:
    stage = alerting(policies=[{**SUGGEST, "mode": "enforce"}])
    (throttle, incident) = stage.apply([anomaly()], NOW)
    assert (throttle.within, incident.within) == (AT_ONCE, SOON)
    name = orjson.loads(throttle.value or b"")["id"]
    ack = Ack(command=name, gateway="edge-1", state="applied", at=utc(NOW))
    assert not list(stage.apply([Fake(msgspec.json.encode(ack), TOPICS.acks)], NOW + 1))
    assert {(out.topic, out.within) for out in stage.tick(NOW + 2)} == {(TOPICS.alerts, SOON)}
