"""What a record of a public topic changes on the page."""

import msgspec

from streamer.page.state import Change
from tests.streamer.page.build import TOPICS, rollup, state


def test_the_rollups_of_sessions_are_passed_over() -> None:
    read = state()
    told = [
        read.take(TOPICS.rollups, None, msgspec.json.encode(one))
        for one in (rollup(level="session", session="s"), rollup())
    ]
    assert told == [None, Change("spend", frozenset({"acme"}))]
    assert list(read.spend.series) == ["tenant=acme"]


def test_a_rollup_that_is_none_is_counted_and_stops_nothing() -> None:
    read = state()
    nested = b'{"x":' + b"[" * 5000
    values = (b"{", b'{"level":"tenant"}', b"7", nested)
    assert [read.take(TOPICS.rollups, None, value) for value in values] == [None] * 4
    assert read.unreadable == 4
