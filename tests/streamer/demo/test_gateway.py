"""The demo's gateway: what a command in force lets through, and for how long."""

from typing import Any

import msgspec
import pytest

from alerts.throttle.command import Ack, Action, Command, CommandReason, CommandScope
from alerts.throttle.gateway import GatewayState
from streamer.clock import utc
from streamer.config import KafkaConfig
from streamer.demo import gateway as module
from streamer.demo.gateway import Admission, Gateway
from tests.streamer.kafka.fakes import TOPICS
from tests.streamer.samples import NOW

REQUEST = {"tenant": "acme", "use_case": "support", "agent": "triage", "session": "s1", "model": "gpt-4o"}
SESSION = CommandScope("acme", session="s1")


def command(action: Action, scope: CommandScope = SESSION, generation: int = 1, **params: int | str) -> Command:
    return Command(
        id=f"c{generation}",
        scope=scope,
        action=action,
        params=params,
        mode="enforce",
        reason=CommandReason("i", "loop", "why", 1, 1, "1"),
        issued_at=utc(NOW),
        expires_at=utc(NOW + 60),
        generation=generation,
    )


def admission(*commands: Command) -> Admission:
    state = GatewayState()
    for one in commands:
        state.apply(one.scope.key(), msgspec.json.encode(one))
    return Admission(state)


def admitted(known: Admission, *seconds: float, **changes: Any) -> list[bool]:
    return [known.admits({**REQUEST, **changes}, NOW + second) for second in seconds]


def test_without_commands_everything_goes_through() -> None:
    known = admission()
    assert admitted(known, 0, 0, 0) == [True] * 3
    assert not known.refused


def test_a_pause_refuses_its_scope_until_it_expires() -> None:
    known = admission(command("pause"))
    assert admitted(known, 0, 30, 59.9, 60) == [False, False, False, True]
    assert admitted(known, 1, session="s2") == [True]
    assert known.refused == {SESSION.key(): 3}


def test_a_release_lets_everything_through_again() -> None:
    known = admission(command("pause"), command("release", generation=2))
    assert admitted(known, 1) == [True]


@pytest.mark.parametrize("action", ["cap_steps", "downgrade_model", "block_tool"])
def test_what_changes_a_request_does_not_refuse_it(action: Action) -> None:
    assert admitted(admission(command(action)), 1) == [True]


def test_a_rate_limit_holds_a_seconds_requests_and_refills() -> None:
    known = admission(command("limit_rate", CommandScope("acme"), requests_per_minute=180))
    assert admitted(known, *[0] * 5) == [True, True, True, False, False]
    assert admitted(known, 0.4, 0.4) == [True, False]
    assert admitted(known, *[10] * 4) == [True, True, True, False]


def test_a_slow_rate_limit_still_lets_single_requests_through() -> None:
    known = admission(command("limit_rate", CommandScope("acme"), requests_per_minute=30))
    assert admitted(known, 0, 0, 1.9, 2, 2.1, 4) == [True, False, False, True, False, True]


def test_over_a_minute_a_rate_limit_lets_no_more_through_than_it_says() -> None:
    known = admission(command("limit_rate", CommandScope("acme"), requests_per_minute=300))
    assert sum(admitted(known, *[n / 100 for n in range(6000)])) in range(295, 306)


def test_all_requests_of_a_scope_share_its_limit_and_others_none() -> None:
    known = admission(command("limit_rate", CommandScope("acme"), requests_per_minute=60))
    assert admitted(known, 0, session="s1") == [True]
    assert admitted(known, 0, session="s2") == [False]
    assert admitted(known, 0, tenant="beta") == [True]


def test_a_limit_of_nothing_refuses_all_but_the_first() -> None:
    known = admission(command("limit_rate", CommandScope("acme")))
    assert admitted(known, 0, 30, 59) == [True, False, False]
    assert admitted(known, 60) == [True]


class _Producer:
    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, bytes]] = []

    async def send_and_wait(self, topic: str, value: bytes, key: bytes) -> None:
        self.sent.append((topic, value, key))


class _Record:
    offset = 0

    def __init__(self, key: bytes | None, value: bytes | None) -> None:
        self.key, self.value = key, value


async def _acks(*records: _Record) -> list[tuple[str, str]]:
    """What the gateway says of commands, as (command, state)."""
    heard: list[Command] = []
    gateway, producer = Gateway(KafkaConfig(), TOPICS, heard.append), _Producer()
    for record in records:
        await gateway._obey(record, producer)
    assert {topic for topic, _, _ in producer.sent} <= {TOPICS.acks}
    assert len(heard) == len(producer.sent)
    acks = [msgspec.json.decode(value, type=Ack) for _, value, _ in producer.sent]
    return [(ack.command, ack.state) for ack in acks]


def _record(told: Command) -> _Record:
    return _Record(told.scope.key().encode(), msgspec.json.encode(told))


async def test_each_command_that_is_news_is_acknowledged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "wall", lambda: NOW)
    pause, release = command("pause"), command("release", generation=2)
    records = [*map(_record, (pause, pause, release, pause)), _Record(SESSION.key().encode(), None)]
    assert await _acks(*records) == [("c1", "applied"), ("c2", "released")]


async def test_garbage_on_the_throttle_topic_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "wall", lambda: NOW)
    garbage = [_Record(b"k", b"garbage"), _Record(b"\xff", b"{}"), _Record(None, b"\xff"), _Record(None, None)]
    assert await _acks(*garbage, _record(command("pause"))) == [("c1", "applied")]
