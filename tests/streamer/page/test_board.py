"""Incidents, commands and answers: the newest holds, whatever is repeated."""

from datetime import timedelta

from streamer.feedback import Feedback
from streamer.page.board import Board, in_force, is_seen_by
from streamer.page.sight import Sight
from tests.streamer.page.build import ack, command, incident
from tests.streamer.samples import NOON, NOW


def answer(name: str = "f1", about: str = "i1") -> Feedback:
    return Feedback(id=name, time=NOON, verdict="acknowledge", incident=about, by="ann")


def test_a_link_to_what_is_over_is_still_good_after_its_tombstone() -> None:
    board = Board()
    board.take_incident("i1", incident("i1", over=True))
    board.take_incident("i1", None)
    assert "i1" in board.incidents


def test_a_tombstone_ends_what_was_open() -> None:
    board = Board()
    board.take_incident("i1", incident("i1"))
    assert board.take_incident("i1", None) == {"acme"}
    assert not board.incidents


def test_of_a_scope_the_highest_generation_holds() -> None:
    board = Board()
    for generation in (1, 3, 2):
        board.take_command("k", command(generation))
    assert board.commands["k"].generation == 3
    board.take_command("k", None)
    assert not board.commands


def test_a_lower_generation_that_was_issued_after_the_end_of_a_higher_one_holds() -> None:
    """As at the gateways, so that the page shows what they obey after a backup was restored."""
    board, end = Board(), NOON + timedelta(seconds=60)
    board.take_command("k", command(5, seconds=60))
    board.take_command("k", command(2, issued_at=end - timedelta(seconds=1)))
    assert board.commands["k"].generation == 5
    board.take_command("k", command(3, issued_at=end))
    assert board.commands["k"].generation == 3


def test_a_command_is_in_force_until_it_ends_or_is_released() -> None:
    assert in_force(command(), NOW + 899)
    assert not in_force(command(), NOW + 900)
    assert not in_force(command(action="release"), NOW)


def test_of_each_gateway_the_last_word_is_kept() -> None:
    board = Board()
    for said in ("refused", "applied"):
        board.take_ack(ack(said=said))
    assert [one.state for one in board.acks["c1"].values()] == ["applied"]


def test_what_was_said_twice_is_shown_once() -> None:
    board = Board()
    for name in ("f1", "f1", "f2"):
        board.take_answer(answer(name))
    assert [one.id for one in board.answers["i1"]] == ["f1", "f2"]


def test_an_incident_that_left_alerts_out_is_for_those_who_see_everybody() -> None:
    storm = incident("i1", "acme")
    storm.tenant_count = 300
    assert not is_seen_by(storm, Sight("eve", ("acme",)))
    assert is_seen_by(storm, Sight("ann"))
    assert is_seen_by(incident("i1", "acme"), Sight("eve", ("acme",)))


def test_memory_is_bounded() -> None:
    board = Board()
    for number in range(5_100):
        board.take_answer(answer(about=f"i{number}"))
    assert len(board.answers) == 5_000
    assert "i5099" in board.answers
