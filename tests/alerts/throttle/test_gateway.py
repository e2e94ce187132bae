"""A gateway that reads the throttle topic knows what binds a request."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.throttle.command import Action, Command, CommandReason, CommandScope, Mode
from alerts.throttle.gateway import GatewayState
from tests.alerts.build import NOW, START

Record = tuple[str, bytes | None]

ACME, SUPPORT, TRIAGE = CommandScope("acme"), CommandScope("acme", "support"), CommandScope("acme", "support", "triage")
REQUEST = CommandScope("acme", "support", "triage", "s1")


def record(
    scope: CommandScope, action: Action = "pause", generation: int = 1, *, mode: Mode = "enforce", expires: float = 900
) -> Record:
    command = Command(
        id=f"{scope.key()} {generation}",
        scope=scope,
        action=action,
        mode=mode,
        reason=CommandReason("incident", "loop", "why", 12, 1.4, "18.20"),
        issued_at=START,
        expires_at=START + timedelta(seconds=expires),
        generation=generation,
    )
    return scope.key(), msgspec.json.encode(command)


def tombstone(scope: CommandScope) -> Record:
    return scope.key(), None


def fed(*records: Record) -> GatewayState:
    state = GatewayState()
    for key, value in records:
        state.apply(key, value, NOW)
    return state


def binding(state: GatewayState, request: CommandScope = REQUEST, after: float = 1) -> str | None:
    command = state.command_for(request, NOW + after)
    return command.id if command else None


def test_a_command_binds_what_its_scope_covers() -> None:
    state = fed(record(SUPPORT))
    assert binding(state) == f"{SUPPORT.key()} 1"
    assert binding(state, CommandScope("acme", "sales")) is None
    assert binding(state, CommandScope("acme")) is None


def test_the_most_specific_scope_wins_whatever_came_first() -> None:
    assert binding(fed(record(ACME), record(TRIAGE), record(SUPPORT))) == f"{TRIAGE.key()} 1"
    assert binding(fed(record(TRIAGE), record(ACME))) == f"{TRIAGE.key()} 1"


def test_gateways_agree_on_scopes_that_are_as_narrow() -> None:
    """Even where one has read a record that compaction has since taken from the topic."""
    support, triage, session = SUPPORT, CommandScope("acme", agent="triage"), CommandScope("acme", session="s1")
    assert binding(fed(record(support), record(triage))) == f"{triage.key()} 1"
    assert binding(fed(record(triage), record(support))) == f"{triage.key()} 1"
    assert binding(fed(record(session), record(triage))) == f"{session.key()} 1"
    assert binding(fed(record(triage), record(session))) == f"{session.key()} 1"


def test_a_release_of_a_narrow_scope_does_not_lift_a_wider_command() -> None:
    state = fed(record(ACME), record(TRIAGE), record(TRIAGE, "release", 2))
    assert binding(state) == f"{ACME.key()} 1"


def test_a_release_of_a_wide_scope_does_not_lift_a_narrower_command() -> None:
    state = fed(record(ACME), record(TRIAGE), record(ACME, "release", 2))
    assert binding(state) == f"{TRIAGE.key()} 1"
    assert binding(state, CommandScope("acme", "sales")) is None


def test_a_release_ends_its_command() -> None:
    assert binding(fed(record(TRIAGE), record(TRIAGE, "release", 2))) is None


def test_an_expired_command_is_void_without_any_further_record() -> None:
    state = fed(record(TRIAGE, expires=60), record(ACME, expires=90))
    assert binding(state, after=59.9) == f"{TRIAGE.key()} 1"
    assert binding(state, after=60) == f"{ACME.key()} 1"
    assert binding(state, after=90) is None


def test_a_suggestion_binds_nobody_and_hides_nothing() -> None:
    assert binding(fed(record(TRIAGE, mode="suggest"))) is None
    assert binding(fed(record(ACME), record(TRIAGE, mode="suggest"))) == f"{ACME.key()} 1"


def test_the_highest_generation_holds() -> None:
    state = GatewayState()
    key, second = record(TRIAGE, generation=2)
    assert state.apply(key, second, NOW) is not None
    assert state.apply(*record(TRIAGE, generation=1), NOW) is None
    assert state.apply(key, second, NOW) is None
    assert binding(state) == f"{TRIAGE.key()} 2"


def test_after_a_tombstone_generations_start_again() -> None:
    state = fed(record(TRIAGE, generation=7), tombstone(TRIAGE), record(TRIAGE, generation=1))
    assert binding(state) == f"{TRIAGE.key()} 1"


def test_a_tombstone_of_what_is_not_known_is_nothing() -> None:
    assert GatewayState().apply(TRIAGE.key(), None, NOW) is None


@pytest.mark.parametrize("value", [b"", b"{", b"\xff", b"{}", b"[]", b'{"schema": "tidegate.throttle/2"}'])
def test_a_bad_record_raises_and_changes_nothing(value: bytes) -> None:
    state = fed(record(TRIAGE))
    with pytest.raises(msgspec.ValidationError):
        state.apply(TRIAGE.key(), value, NOW)
    assert binding(state) == f"{TRIAGE.key()} 1"


SCOPES = [ACME, SUPPORT, TRIAGE, CommandScope("acme", agent="triage"), CommandScope("acme", session="s1")]
MODES: list[Mode] = ["enforce", "suggest"]
steps = st.tuples(
    st.sampled_from(SCOPES),
    st.sampled_from(["pause", "release", "tombstone"]),
    st.sampled_from(MODES),
    st.sampled_from([10, 100]),
)


@st.composite
def topics(draw: st.DrawFn) -> list[Record]:
    """Topics as a ledger writes them: per scope, generations grow until a tombstone."""
    topic: list[Record] = []
    generations: dict[CommandScope, int] = {}
    for scope, what, mode, expires in draw(st.lists(steps, max_size=12)):
        if what == "tombstone":
            generations.pop(scope, None)
            topic.append(tombstone(scope))
        else:
            generations[scope] = generations.get(scope, 0) + 1
            action: Action = "pause" if what == "pause" else "release"
            topic.append(record(scope, action, generations[scope], mode=mode, expires=expires))
    return topic


def known(records: Sequence[Record]) -> list[str | None]:
    """What a gateway that has read these records does with requests of every scope, at several times."""
    state = fed(*records)
    return [binding(state, request, after) for request in [*SCOPES, REQUEST] for after in (1, 50, 500)]


@settings(deadline=None)
@given(topics(), st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=4))
def test_reading_parts_of_the_topic_again_changes_nothing(topic: list[Record], rewinds: list[tuple[int, int]]) -> None:
    """A gateway that reads on to some place, and then again from an earlier one, ends where all others do."""
    read: list[Record] = []
    place = 0
    for until, back in rewinds:
        read += topic[place:until]
        place = min(back, max(place, min(until, len(topic))))
    assert known(read + topic[place:]) == known(topic)


@settings(deadline=None)
@given(topics())
def test_records_that_come_twice_change_nothing(topic: list[Record]) -> None:
    assert known([one for one in topic for _ in range(2)]) == known(topic)


@settings(deadline=None)
@given(topics())
def test_the_compacted_topic_says_the_same(topic: list[Record]) -> None:
    """Compaction keeps the last record of each key, in its place."""
    last = {key: index for index, (key, _) in enumerate(topic)}
    assert known([record for index, record in enumerate(topic) if last[record[0]] == index]) == known(topic)


@pytest.mark.parametrize("apart", [-30.0, 0.0, 30.0])
def test_clocks_that_are_apart_neither_void_a_fresh_command_nor_keep_an_expired_one(apart: float) -> None:
    """The gateway's clock is `apart` seconds ahead; the record takes half a second to come."""
    state = GatewayState(tolerance=30)
    state.apply(*record(TRIAGE, expires=20), NOW + apart + 0.5)
    assert binding(state, after=apart + 0.5)
    assert binding(state, after=apart + 19.9)
    assert binding(state, after=apart + 20.5) is None


@pytest.mark.parametrize("apart", [-30.0, 0.0, 30.0])
def test_a_gateway_that_starts_late_keeps_what_is_old_no_longer_than_its_tolerance(apart: float) -> None:
    state = GatewayState(tolerance=30)
    state.apply(*record(TRIAGE, expires=900), NOW + apart + 800)
    assert binding(state, after=apart + 801)
    assert binding(state, after=apart + 900 + 60.1) is None


def test_the_next_command_tells_a_gateway_that_started_late_what_its_clock_is_worth() -> None:
    state = GatewayState(tolerance=30)
    state.apply(*record(TRIAGE, expires=900), NOW + 800)
    fresh = msgspec.structs.replace(
        msgspec.json.decode(record(SUPPORT)[1] or b"", type=Command), issued_at=START + timedelta(seconds=810)
    )
    state.apply(SUPPORT.key(), msgspec.json.encode(fresh), NOW + 810)
    state.apply(*record(ACME, expires=900), NOW + 811)
    assert binding(state, CommandScope("acme"), after=899)
    assert binding(state, CommandScope("acme"), after=900) is None


def test_however_far_clocks_are_apart_no_command_outlives_its_time_from_when_it_was_read() -> None:
    state = GatewayState(tolerance=30)
    state.apply(*record(TRIAGE, expires=60), NOW - 86_400)
    assert binding(state, after=59 - 86_400)
    assert binding(state, after=60 - 86_400) is None


def test_generations_may_begin_again_where_a_tombstone_was_missed() -> None:
    """A gateway that was away for longer than the broker keeps tombstones."""
    state = fed(record(TRIAGE, generation=7, expires=60))
    later = record(TRIAGE, generation=1)
    command = msgspec.json.decode(later[1] or b"", type=Command)
    again = msgspec.structs.replace(
        command, issued_at=START + timedelta(seconds=100), expires_at=START + timedelta(seconds=200)
    )
    assert state.apply(later[0], msgspec.json.encode(again), NOW + 100) is not None
    assert binding(state, after=101)


@pytest.mark.parametrize("why", ["another key", "no end", "ends before it begins", "no limit"])
def test_what_cannot_be_obeyed_is_no_command(why: str) -> None:
    key, value = record(TRIAGE)
    command = msgspec.json.decode(value or b"", type=Command)
    changed = {
        "another key": command,
        "no end": msgspec.structs.replace(command, expires_at=START + timedelta(days=2)),
        "ends before it begins": msgspec.structs.replace(command, expires_at=START),
        "no limit": msgspec.structs.replace(command, action="limit_rate"),
    }[why]
    with pytest.raises(msgspec.ValidationError):
        GatewayState().apply("tenant=acme" if why == "another key" else key, msgspec.json.encode(changed), NOW)
