"""The libraries' logs stay readable while a broker is away."""

import logging

from streamer.logs import Seldom


def said(line: int, at: float) -> logging.LogRecord:
    """What one place in a library says at a moment."""
    record = logging.LogRecord("aiokafka", logging.ERROR, "client.py", line, "no connection to %s", ("node 1",), None)
    record.created = at
    return record


def test_a_place_speaks_five_times_in_ten_seconds() -> None:
    seldom = Seldom()
    assert [seldom.filter(said(1, at / 10)) for at in range(50)] == [True] * 5 + [False] * 45


def test_other_places_are_heard_meanwhile() -> None:
    seldom = Seldom()
    assert all(seldom.filter(said(1, 0.0)) for _ in range(5))
    assert seldom.filter(said(2, 0.1))


def test_what_was_held_back_is_counted_when_the_place_speaks_again() -> None:
    seldom, last = Seldom(), said(1, 11.0)
    for _ in range(12):
        seldom.filter(said(1, 0.0))
    assert seldom.filter(last)
    assert last.getMessage() == "no connection to node 1 (7 more like it before)"


def test_who_has_little_to_say_is_never_held_back() -> None:
    seldom = Seldom()
    records = [said(1, 3.0 * number) for number in range(40)]
    assert all(seldom.filter(record) for record in records)
    assert {record.getMessage() for record in records} == {"no connection to node 1"}
