"""The throttle command: its scope, its key and its JSON."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.throttle.command import Ack, Command, CommandScope, command_id

# The example of the contract (CONTRACTS.md), word for word.
CONTRACT = """
{"schema": "tidegate.throttle/1", "id": "…", "scope": {"tenant": "acme", "use_case": "support", "agent": "triage"},
 "action": "limit_rate", "params": {"requests_per_minute": 30}, "mode": "enforce",
 "reason": {"incident": "…", "detector": "loop", "text": "search_orders called 12 times with the same arguments in 40 s",
            "observed": 12, "expected": 1.4, "usd_per_hour": "18.20"},
 "issued_at": "2026-11-22T10:00:00Z", "expires_at": "2026-11-22T10:15:00Z", "generation": 3}
"""  # noqa: E501 (one line longer than ours)
DESIGN = Path(__file__).parents[4] / "shared" / "design" / "CONTRACTS.md"

odd = st.text(alphabet="a/=%é", min_size=1, max_size=4)
scopes = st.builds(CommandScope, odd, *[st.just("") | odd] * 3)
few = st.builds(CommandScope, st.sampled_from("ab"), *[st.sampled_from(["", "a", "b"])] * 3)


def changed(**fields: Any) -> bytes:
    """The contract's example with some fields changed, or left out (None)."""
    record = {**msgspec.json.decode(CONTRACT), **fields}
    return msgspec.json.encode({name: value for name, value in record.items() if value is not None})


def test_the_contracts_example_is_a_command() -> None:
    command = msgspec.json.decode(CONTRACT, type=Command)
    assert command.scope == CommandScope("acme", "support", "triage")
    assert (command.action, command.params) == ("limit_rate", {"requests_per_minute": 30})
    assert (command.reason.detector, command.reason.usd_per_hour) == ("loop", "18.20")
    assert (command.expires_at - command.issued_at).total_seconds() == 900


def test_a_command_is_written_as_it_was_read() -> None:
    record = msgspec.json.decode(CONTRACT)
    again = msgspec.json.decode(msgspec.json.encode(msgspec.json.decode(CONTRACT, type=Command)))
    assert {**again, "params": record["params"]} == record


@pytest.mark.skipif(not DESIGN.is_file(), reason="the design is not beside the repository")
def test_the_example_is_still_that_of_the_contract() -> None:
    found = re.search(r"## Throttle command\n```json\n(.*?)```", DESIGN.read_text(), re.DOTALL)
    assert found and found[1] == CONTRACT.removeprefix("\n")


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"[]",
        b"{}",
        changed(schema="tidegate.throttle/2"),
        changed(action="explode"),
        changed(mode="maybe"),
        changed(scope={}),
        changed(scope={"tenant": ""}),
        changed(generation=0),
        changed(generation="3"),
        changed(expires_at=None),
        changed(expires_at="never"),
        changed(expires_at="2026-11-22T10:15:00"),
        changed(issued_at=1795341600),
        changed(params={"requests_per_minute": [30]}),
    ],
)
def test_what_is_no_command_is_refused(record: bytes) -> None:
    """A time without its zone is none: each gateway would read it in its own."""
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(record, type=Command)


def test_a_field_of_a_later_version_is_passed_over() -> None:
    assert msgspec.json.decode(changed(colour="red"), type=Command) == msgspec.json.decode(CONTRACT, type=Command)


def test_an_ack_names_its_command() -> None:
    ack = b'{"command": "c1", "gateway": "gw-1", "state": "applied", "at": "2026-11-22T10:00:01Z"}'
    assert msgspec.json.decode(ack, type=Ack).detail == ""


def test_a_scope_covers_what_it_does_not_distinguish() -> None:
    request = CommandScope("acme", "support", "triage", "s1")
    assert CommandScope("acme").covers(request)
    assert CommandScope("acme", session="s1").covers(request)
    assert not CommandScope("globex").covers(request)
    assert not request.covers(CommandScope("acme", "support", "triage"))


@given(scopes, scopes)
def test_different_scopes_have_different_keys(one: CommandScope, other: CommandScope) -> None:
    """Whatever signs their names hold."""
    assert (one.key() == other.key()) == (one == other)


@given(few, few, few)
def test_covering_is_an_order(one: CommandScope, two: CommandScope, three: CommandScope) -> None:
    assert one.covers(one)
    assert not (one.covers(two) and two.covers(one)) or one == two
    assert not (one.covers(two) and two.covers(three)) or one.covers(three)


@given(scopes, st.integers(1, 3), scopes, st.integers(1, 3))
def test_an_id_is_that_of_one_generation_of_one_scope(
    one: CommandScope, first: int, other: CommandScope, second: int
) -> None:
    same = (one, first) == (other, second)
    assert (command_id(one, "incident", first) == command_id(other, "incident", second)) == same
