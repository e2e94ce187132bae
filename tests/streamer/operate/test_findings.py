"""What the doctor and the status make of what they see, without a broker."""

from decimal import Decimal

import pytest
from aiokafka.admin import NewTopic

from streamer.config import KafkaConfig, PageConfig
from streamer.kafka.connection import MOST_REQUEST_BYTES
from streamer.kafka.topics import CHANGELOGS, Topics, changelog, wanted
from streamer.operate import slack
from streamer.operate.doctor import priced
from streamer.operate.status import command_lines, incident_lines
from streamer.operate.topics import Found, held
from tests.streamer.page.build import command, incident, rollup
from tests.streamer.samples import NOW

KAFKA = KafkaConfig(replication=3, retention_hours=24)
TOPICS = {topic.name: topic for topic in wanted(KAFKA, Topics.named("t."), CHANGELOGS, 4)}


def as_wanted(topic: NewTopic, **changes: object) -> Found:
    settings = {**topic.topic_configs, **{name: str(value) for name, value in changes.items() if "." in name}}
    return Found(topic.num_partitions, topic.replication_factor, settings)


def test_topics_are_wanted_safe_and_as_long_as_they_are_needed() -> None:
    usage, throttle = TOPICS["t.usage"], TOPICS["t.throttle"]
    assert usage.topic_configs["min.insync.replicas"] == throttle.topic_configs["min.insync.replicas"] == "2"
    assert usage.topic_configs["retention.ms"] == str(24 * 3_600_000)
    assert "cleanup.policy" not in usage.topic_configs
    compacted = {name for name, topic in TOPICS.items() if topic.topic_configs.get("cleanup.policy") == "compact"}
    ours = {changelog("tidegate", "meter"), changelog("tidegate", "alerts")}
    assert compacted == {"t.alerts", "t.throttle", "t.budgets", *ours}
    assert (usage.num_partitions, TOPICS["tidegate-meter-changelog"].num_partitions, throttle.num_partitions) == (
        4,
        4,
        1,
    )


def test_every_topic_takes_what_a_worker_may_send() -> None:
    """A checkpoint is one transaction: a record that is refused would hold up all alerts, for good."""
    assert {topic.topic_configs["max.message.bytes"] for topic in TOPICS.values()} == {str(MOST_REQUEST_BYTES)}


def test_of_a_single_replica_no_second_is_asked() -> None:
    topics = wanted(KafkaConfig(replication=1), Topics.named("t."), {}, 4)
    assert {topic.topic_configs["min.insync.replicas"] for topic in topics} == {"1"}


@pytest.mark.parametrize("name", TOPICS)
def test_a_topic_as_it_was_made_is_good(name: str) -> None:
    assert held(TOPICS[name], as_wanted(TOPICS[name])).grade == "good"
    assert held(TOPICS[name], None).grade == "bad"


@pytest.mark.parametrize(
    ("topic", "changes", "grade", "todo"),
    [
        ("t.throttle", {"cleanup.policy": "delete"}, "bad", "set cleanup.policy=compact"),
        ("t.usage", {"retention.ms": 1000}, "look", "set retention.ms=86400000"),
        ("t.usage", {"retention.ms": -1}, "good", ""),
        ("t.usage", {"min.insync.replicas": 1}, "look", "set min.insync.replicas=2"),
        ("t.raw", {"max.message.bytes": 1_048_588}, "look", "set max.message.bytes=16777216"),
    ],
)
def test_a_setting_that_does_harm_is_found(topic: str, changes: dict[str, object], grade: str, todo: str) -> None:
    found = held(TOPICS[topic], as_wanted(TOPICS[topic], **changes))
    assert (found.grade, found.todo) == (grade, todo)


def test_a_topic_of_another_shape_is_found() -> None:
    assert held(TOPICS["t.usage"], Found(2, 3)).grade == "bad"
    assert held(TOPICS["t.usage"], Found(12, 3)).grade == "good"
    assert held(TOPICS["t.anomalies"], Found(3, 3)).grade == "bad"
    assert held(TOPICS["t.usage"], Found(4, 1)).grade == "look"


def test_events_without_a_price_are_told_of_with_whose_they_are() -> None:
    assert priced([]).grade == "look"
    assert priced([rollup(events=1000, unpriced=2)]).grade == "good"
    found = priced([rollup(events=10), rollup("globex", events=10, unpriced=4)])
    assert (found.grade, found.what) == ("look", "4 of the last 20 events have no price (globex)")


DATE = "Sun, 22 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("answer", "headers", "now", "grades"),
    [
        (
            {"ok": True, "user": "gate", "team": "t"},
            {"x-oauth-scopes": "chat:write,files:write", "Date": DATE},
            NOW,
            ["good"],
        ),
        ({"ok": True}, {"x-oauth-scopes": "chat:write"}, NOW, ["good", "look"]),
        ({"ok": True}, {"x-oauth-scopes": "channels:read"}, NOW, ["good", "bad", "look"]),
        ({"ok": True}, {"Date": DATE}, NOW + 61, ["good", "bad"]),
        ({"ok": True}, {"Date": "yesterday"}, NOW, ["good"]),
        ({"ok": False, "error": "invalid_auth"}, {}, NOW, ["bad"]),
    ],
)
def test_what_slack_says_is_judged(
    answer: dict[str, object], headers: dict[str, str], now: float, grades: list[str]
) -> None:
    assert [finding.grade for finding in slack.read(answer, headers, now)] == grades


def test_the_status_tells_of_what_is_open_and_in_force() -> None:
    many = [incident("i1"), incident("i2", per_hour="900"), incident("i3", over=True)]
    lines = list(incident_lines(many, PageConfig(public_url="https://t.example")))
    assert lines[0].endswith("2 open")
    assert [(line.split()[0], line.split()[-1]) for line in lines[1:]] == [
        ("i2", "https://t.example/incidents/i2"),
        ("i1", "https://t.example/incidents/i1"),
    ]
    told = list(command_lines([command(), command(2, seconds=-1), command(3, mode="suggest")], NOW))
    assert told[0].endswith("1 in force")
    assert len(told) == 3
    assert "for 900 s more" in told[1]


def test_money_is_told_as_money() -> None:
    assert "$1,234.50 above normal" in list(incident_lines([incident(usd=str(Decimal("1234.5")))], PageConfig()))[1]
