"""One case a cause: what is part of an open case opens no other, and what comes at the same time widens it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config import FatigueConfig
from streamer.judges.book import Book, Standing
from streamer.judges.cases import Cases, Reading
from streamer.judges.fatigue import Fatigue
from streamer.judges.policies import Policies
from streamer.judges.relation import common, contains, related, scope_of
from streamer.records import AnomalyKind, Scope
from streamer.windows.entity import TENANT, Entity
from tests.streamer.samples import NOW

TRIAGE, SOLVER = Entity("agent", "support", "triage"), Entity("agent", "support", "solver")
SUPPORT, SEARCH = Entity("use_case", "support"), Entity("use_case", "search")
READING = Reading(observed=10, expected=1, score=0.7, reason="ten, where one is usual")
NAME = st.sampled_from(["", "a", "b"])
SCOPES = st.builds(Scope, use_case=NAME, agent=NAME, model=NAME)


class Shelf:
    """A book, its cases, and what people said."""

    def __init__(self, fatigue: FatigueConfig | None = None) -> None:
        self.policies = Policies()
        self.cases = Cases("acme", self.policies)
        self.book = Book("acme", self.cases, Fatigue(fatigue or FatigueConfig(step=0)))

    def open(self, entity: Entity, kind: AnomalyKind = "burst", at: float = NOW, name: str = "requests") -> bool:
        series = self.book.series(entity, name)
        return self.book.open(Standing(series, kind, entity, name, scope_of(entity), at), READING)

    def said(self) -> list[tuple[str, str, Scope]]:
        return [(case.state, case.kind, case.scope) for case in self.cases.taken()]


def test_a_case_is_opened_updated_and_closed() -> None:
    shelf = Shelf()
    assert shelf.open(TRIAGE)
    (standing,) = shelf.book.of(TRIAGE, "burst", "bloat")
    shelf.book.update(standing, NOW + 10, READING)
    shelf.book.close(standing, NOW + 20)
    assert [state for state, _, _ in shelf.said()] == ["opened", "updated", "closed"]
    assert not shelf.book
    assert shelf.book.of(TRIAGE, "burst") == []


@pytest.mark.parametrize("entity", [TRIAGE, SUPPORT, TENANT])
@pytest.mark.parametrize("kind", ["burst", "bloat", "mix", "drift"])
def test_what_is_part_of_an_open_case_or_holds_it_is_explained(entity: Entity, kind: AnomalyKind) -> None:
    shelf = Shelf()
    shelf.open(TRIAGE)
    assert shelf.open(entity, kind, name="usd")
    assert shelf.said() == [("opened", "burst", Scope("support", "triage"))]


def test_what_happens_beside_an_open_case_is_told_unless_it_comes_at_the_same_time() -> None:
    shelf = Shelf()
    shelf.open(TRIAGE)
    shelf.open(SOLVER, at=NOW + 30)
    shelf.open(SEARCH, at=NOW + 100_000)
    assert shelf.said() == [
        ("opened", "burst", Scope("support", "triage")),
        ("updated", "burst", Scope("support")),
        ("opened", "burst", Scope("search")),
    ]


def test_another_kind_at_the_same_time_is_another_case() -> None:
    shelf = Shelf()
    shelf.open(TRIAGE)
    shelf.open(SOLVER, "bloat", NOW + 30)
    assert [kind for _, kind, _ in shelf.said()] == ["burst", "bloat"]


@pytest.mark.parametrize("kind", ["burst", "bloat", "mix", "drift"])
def test_silence_explains_nothing_but_silence_and_nothing_else_explains_it(kind: AnomalyKind) -> None:
    shelf = Shelf()
    shelf.open(TRIAGE, "silence", name="silence")
    assert not shelf.book.explains(kind, "usd", Scope("support"))
    assert shelf.book.explains("silence", "silence", Scope("support"))
    other = Shelf()
    other.open(TRIAGE, kind)
    assert not other.book.explains("silence", "silence", Scope("support", "triage"))
    assert other.book.explains(kind, "usd", Scope("support", "triage"))


@pytest.mark.parametrize("name", ["sessions", "requests", "tool_calls"])
def test_larger_requests_do_not_explain_that_more_come_and_more_that_come_explain_that_they_are_larger(
    name: str,
) -> None:
    shelf = Shelf()
    shelf.open(TRIAGE, "bloat", name="size")
    assert shelf.book.explains("burst", "tokens", Scope("support", "triage"))
    assert not shelf.book.explains("burst", name, Scope("support", "triage"))
    assert shelf.open(TRIAGE, "burst", NOW + 600, name=name)
    assert shelf.said() == [("opened", kind, Scope("support", "triage")) for kind in ("bloat", "burst")]
    other = Shelf()
    other.open(TRIAGE, "burst", name=name)
    assert other.book.explains("mix", "price", Scope("support", "triage"))


@pytest.mark.parametrize("name", ["sessions", "requests", "tokens", "size", "price", "combination"])
def test_more_that_come_slowly_for_hours_explain_nothing_but_themselves(name: str) -> None:
    shelf = Shelf()
    shelf.open(TRIAGE, "drift", name="drift")
    assert shelf.book.explains("drift", "drift", Scope("support"))
    assert not shelf.book.explains("burst", name, Scope("support", "triage"))


def test_larger_requests_do_not_explain_that_more_come_slowly_either() -> None:
    shelf = Shelf()
    shelf.open(TRIAGE, "bloat", name="size")
    assert not shelf.book.explains("drift", "drift", Scope("support", "triage"))
    assert shelf.open(TRIAGE, "drift", NOW + 600, name="drift")
    assert shelf.said() == [("opened", kind, Scope("support", "triage")) for kind in ("bloat", "drift")]


@pytest.mark.parametrize("kind", ["burst", "bloat", "mix"])
def test_slow_growth_that_is_part_of_an_open_case_is_explained(kind: AnomalyKind) -> None:
    shelf = Shelf()
    shelf.open(TRIAGE, kind, name="usd")
    assert shelf.book.explains("drift", "growth", Scope("support", "triage"))


@pytest.mark.parametrize("name", ["size", "overall"])
def test_slow_growth_does_not_explain_that_requests_are_twice_as_large_as_when_it_was_told(name: str) -> None:
    shelf = Shelf()
    shelf.open(TRIAGE, "drift", name="growth")
    (standing,) = shelf.book.snapshot()
    assert standing.observed == READING.observed
    assert shelf.book.explains("bloat", name, Scope("support", "triage"), 1.9 * READING.observed)
    assert not shelf.book.explains("bloat", name, Scope("support", "triage"), 2 * READING.observed)
    assert shelf.book.explains("bloat", "output", Scope("support", "triage"), 9 * READING.observed)
    twice = msgspec.structs.replace(READING, observed=2 * READING.observed)
    series = shelf.book.series(TRIAGE, name)
    assert shelf.book.open(Standing(series, "bloat", TRIAGE, name, scope_of(TRIAGE), NOW + 600), twice)
    assert [kind for _, kind, _ in shelf.said()] == ["drift", "bloat"]


def test_an_open_loop_explains_bursts_in_its_agent() -> None:
    shelf = Shelf()
    shelf.cases.open("loop", "tenant=acme/session=s#loop", Scope("support", "triage", session="s"), NOW, READING)
    shelf.cases.taken()
    assert shelf.open(TRIAGE)
    assert shelf.said() == []
    assert shelf.book.explains("burst", "requests", Scope("support"))
    assert not shelf.book.explains("burst", "requests", Scope("support", "solver"))


def test_what_people_forbade_stands_untold_and_explains_what_else_shows_it() -> None:
    shelf = Shelf()
    shelf.policies.plan(Scope("support"), NOW + 3600, NOW)
    assert shelf.open(TRIAGE)
    assert shelf.open(TENANT)
    assert shelf.said() == []
    assert [standing.entity for standing in shelf.book.snapshot()] == [TRIAGE]
    assert shelf.open(SEARCH)
    assert shelf.said() == [("opened", "burst", Scope("search"))]


def test_a_silence_that_people_forbade_is_not_standing_for_it_is_found_again() -> None:
    shelf = Shelf()
    shelf.policies.plan(Scope("support"), NOW + 3600, NOW)
    assert not shelf.open(TRIAGE, "silence", name="silence")
    assert not shelf.book
    assert shelf.open(TRIAGE, "silence", NOW + 3600, name="silence")


def test_each_case_that_is_told_asks_more_of_the_next_of_its_kind() -> None:
    shelf = Shelf(FatigueConfig(step=2, most=9, half_life_seconds=3600))
    assert shelf.open(TRIAGE)
    assert not shelf.open(SEARCH, at=NOW + 1000)
    assert shelf.open(SEARCH, "bloat", NOW + 1000, name="size")
    assert [kind for _, kind, _ in shelf.said()] == ["burst", "bloat"]
    assert not shelf.book.explains("burst", "requests", Scope("sales"))
    assert shelf.open(Entity("use_case", "sales"), at=NOW + 36_000)


def test_a_weak_case_at_the_same_time_still_widens_the_one_that_stands() -> None:
    shelf = Shelf(FatigueConfig(step=2, most=9))
    shelf.open(TRIAGE)
    assert shelf.open(SOLVER, at=NOW + 30)
    assert shelf.said()[-1] == ("updated", "burst", Scope("support"))


def test_a_case_that_nobody_was_told_of_asks_nothing_of_the_next() -> None:
    shelf = Shelf(FatigueConfig(step=2, most=9))
    shelf.policies.plan(Scope("support"), NOW + 3600, NOW)
    assert shelf.open(TRIAGE)
    assert shelf.open(SEARCH, at=NOW + 1000)
    assert shelf.said() == [("opened", "burst", Scope("search"))]


def test_an_entity_that_is_forgotten_leaves_no_case_open() -> None:
    shelf = Shelf()
    shelf.open(TRIAGE)
    shelf.open(SEARCH, "bloat", NOW + 1000)
    shelf.book.forget(TRIAGE, NOW + 2000)
    assert [standing.entity for standing in shelf.book.snapshot()] == [SEARCH]
    assert shelf.said()[-1] == ("closed", "burst", Scope("support", "triage"))


def test_it_is_written_in_order_and_read_again() -> None:
    shelf, again = Shelf(), Shelf()
    shelf.open(SEARCH)
    shelf.open(TRIAGE, "bloat", NOW + 1000)
    written = msgspec.msgpack.encode(shelf.book.snapshot())
    again.cases.restore(shelf.cases.snapshot())
    again.book.restore(msgspec.msgpack.decode(written, type=list[Standing]))
    assert msgspec.msgpack.encode(again.book.snapshot()) == written
    series = [standing.series for standing in again.book.snapshot()]
    assert series == sorted(series)


@given(SCOPES, SCOPES)
def test_relations_are_mutual_and_what_contains_a_part_is_related_to_it(one: Scope, other: Scope) -> None:
    assert related(one, other) == related(other, one)
    assert related(one, one)
    assert contains(one, one)
    if contains(one, other):
        assert related(one, other)
    if contains(one, other) and contains(other, one):
        assert one == other


@given(SCOPES, SCOPES)
def test_the_common_scope_holds_both_and_is_the_same_for_both(one: Scope, other: Scope) -> None:
    whole = common(one, other)
    assert whole == common(other, one)
    assert contains(whole, one)
    assert contains(whole, other)
