"""An open window adds up exactly, holds no more than it should whatever comes, and goes on where it was left."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.events.usage import UsageEvent
from streamer.windows.entity import OTHER, TENANT, Entity, entities_of
from streamer.windows.gauge import Ceilings
from streamer.windows.open import OpenWindow
from streamer.windows.totals import METRICS, Metric, Totals
from tests.streamer.samples import event

FEW = st.sampled_from(["", "a", "b"])
KIND = st.sampled_from(["llm", "tool", "vector", "outcome"])
MANY = st.integers(0, 40).map(lambda number: f"n{number}") | FEW
COUNTS = {name: st.integers(0, 100) for name in ("input_tokens", "steps", "tool_calls", "requests")}
STATUS = st.sampled_from(["ok", "error"])
Priced = tuple[UsageEvent, tuple[int, Any]]


def priced(names: st.SearchStrategy[str]) -> st.SearchStrategy[list[Priced]]:
    """Events of such names, and what they cost."""
    usage = st.builds(
        event, use_case=names, agent=names, model=names, session=names, tool=names, kind=KIND, status=STATUS, **COUNTS
    )
    return st.lists(st.tuples(usage, st.tuples(st.integers(-100, 100), st.just("given"))), max_size=60)


def window(most: int = 1000, ceilings: Ceilings | None = None) -> OpenWindow:
    return OpenWindow(0, 10, most, lambda _: ceilings)


def filled(most: int, events: Iterable[Priced]) -> OpenWindow:
    found = window(most)
    for usage, cost in events:
        found.add(usage, cost)
    return found


def closed(found: OpenWindow) -> dict[Entity, Totals]:
    """The totals of all entities, at the window's end."""
    totals = found.totals()
    for agent, sessions in found.sessions():
        totals |= {Entity("session", agent.use_case, agent.agent, "", name): own for name, own in sessions.items()}
    return totals


def expected(events: Iterable[Priced]) -> dict[Entity, Totals]:
    """The same, added up one entity at a time."""
    totals: dict[Entity, Totals] = defaultdict(Totals)
    for usage, cost in events:
        for entity in entities_of((usage.use_case, usage.agent, usage.model)):
            totals[entity].add(usage, cost)
        if usage.session:
            totals[Entity("session", usage.use_case, usage.agent, "", usage.session)].add(usage, cost)
    return dict(totals)


def size(found: OpenWindow) -> int:
    """How many totals a window keeps."""
    return sum(len(sessions) for _, sessions, _ in found.written(as_text=False)[2])


@settings(max_examples=80, deadline=None)
@given(priced(FEW))
def test_every_entity_has_the_totals_of_its_own_events(events: list[Priced]) -> None:
    assert closed(filled(1000, events)) == expected(events)


@settings(max_examples=80, deadline=None)
@given(priced(MANY), st.integers(1, 12))
def test_whatever_comes_a_window_keeps_a_bounded_number_of_totals_and_the_tenants_are_exact(
    events: list[Priced], most: int
) -> None:
    """Up to `most` of their own, and for each of at most twice as many heads, and for `other`, two more."""
    found = filled(most, events)
    assert size(found) <= most + 2 * (2 * most + 1)
    totals = closed(found)
    whole = expected(events)
    assert {e: t for e, t in totals.items() if e.level == "tenant"} == {
        e: t for e, t in whole.items() if e.level == "tenant"
    }


@settings(max_examples=80, deadline=None)
@given(priced(FEW), priced(MANY), st.integers(0, 3))
def test_a_flood_of_sessions_changes_no_totals_above_them_nor_those_of_the_sessions_before_it(
    quiet: list[Priced], flood: list[Priced], room: int
) -> None:
    """Its use case, agent and model are known, or there is room for them: then only the new sessions are folded."""
    before = {(u.use_case, u.agent, u.model, u.session) for u, _ in quiet}
    head = {"use_case": "a", "agent": "b", "model": "a"}
    heads = {(*head.values(),), *((u.use_case, u.agent, u.model) for u, _ in quiet)}
    crowd = [(msgspec.structs.replace(u, **head, session=f"flood-{n}"), cost) for n, (u, cost) in enumerate(flood)]
    # The quiet ones go on during the flood.
    events = [*quiet, *(one for pair in zip(crowd, (quiet or crowd) * len(crowd), strict=False) for one in pair)]
    found, whole = closed(filled(len(before | heads) + room, events)), expected(events)
    for entity, totals in whole.items():
        if not entity.session.startswith("flood-"):
            assert found[entity] == totals
    assert sum(totals.events for entity, totals in found.items() if entity.level == "session") == sum(
        totals.events for entity, totals in whole.items() if entity.level == "session"
    )


def test_past_the_cap_a_new_session_is_folded_into_other_of_its_agent_and_past_twice_the_cap_a_new_agent_too() -> None:
    found = window(most=2)
    for number, (agent, session) in enumerate([("a", "1"), ("a", "2"), ("a", "3"), ("b", "4"), ("c", "5"), ("a", "6")]):
        found.add(event(number, agent=agent, session=session), (0, "free"))
    assert found.folded == 4
    sessions = {(e.use_case, e.agent, e.session): t.events for e, t in closed(found).items() if e.level == "session"}
    assert sessions == {
        ("", "a", "1"): 1,
        ("", "a", "2"): 1,
        ("", "a", "other"): 2,
        ("", "b", "other"): 1,
        ("other", "other", "other"): 1,
    }


def test_only_what_is_counted_under_another_name_is_called_folded() -> None:
    """An event that names no session has none to be folded, while its agent still has totals of its own."""
    found = window(most=2)
    for number in range(4):
        found.add(event(number, agent=f"g{number}"), (0, "free"))
    assert [e.agent for e in closed(found) if e.level == "agent"] == ["g0", "g1", "g2", "g3"]
    assert found.folded == 0


@settings(max_examples=80, deadline=None)
@given(priced(MANY), priced(MANY), st.integers(1, 12), st.integers(0, 300))
def test_a_window_that_was_written_down_and_read_goes_on_as_if_it_had_not_been(
    before: list[Priced], after: list[Priced], most: int, ceiling: int
) -> None:
    """To the gauges that pass a ceiling, and to the order in which all is written."""
    ceilings = Ceilings()
    ceilings.tokens = ceilings.usd = ceiling
    one, other = window(most, ceilings), window(most, ceilings)
    for usage, cost in before:
        one.add(usage, cost)
    other.read(one.written(as_text=False)[2])
    for usage, cost in after:
        gauges = [found.add(usage, cost) or [] for found in (one, other)]
        assert [gauge.entity for gauge in gauges[0]] == [gauge.entity for gauge in gauges[1]]
    assert msgspec.msgpack.encode(one.written(as_text=False)) == msgspec.msgpack.encode(other.written(as_text=False))
    assert list(closed(one).items()) == list(closed(other).items())


@settings(max_examples=80, deadline=None)
@given(priced(FEW), st.integers(0, 300))
def test_a_gauge_passes_its_ceiling_at_the_event_that_brings_its_entity_above_it(
    events: list[Priced], ceiling: int
) -> None:
    ceilings = Ceilings()
    ceilings.tokens = ceiling
    found, so_far = window(1000, ceilings), defaultdict[Entity, int](int)
    for usage, cost in events:
        above = set()
        for entity in entities_of((usage.use_case, usage.agent, usage.model)):
            so_far[entity] += usage.tokens
            if usage.tokens and so_far[entity] > ceiling:
                above.add(entity)
        assert {gauge.entity for gauge in found.add(usage, cost) or []} == above


@settings(max_examples=40, deadline=None)
@given(priced(FEW))
def test_what_is_not_watched_passes_nothing_and_changed_ceilings_hold_from_the_next_event_on(
    events: list[Priced],
) -> None:
    ceilings: dict[str, Ceilings | None] = {"tenant": None}
    found = OpenWindow(0, 10, 1000, lambda entity: ceilings.get(entity.level))
    passed_unwatched = [found.add(usage, cost) for usage, cost in events]
    assert not any(passed_unwatched)
    most = {"now": Ceilings()}
    watched = OpenWindow(0, 10, 1000, lambda entity: most["now"] if entity.level == "tenant" else None)
    for usage, cost in events:
        assert not watched.add(usage, cost)
    low = Ceilings()
    low.requests = -1
    most["now"] = low
    watched.aim()
    passed = watched.add(event(requests=1, agent="new"), (0, "free"))
    assert passed
    assert [gauge.entity.level for gauge in passed] == ["tenant"]


@settings(max_examples=80, deadline=None)
@given(priced(FEW), st.sampled_from([metric for metric in METRICS if metric != "usd"]))
def test_what_an_entity_had_is_shared_among_its_models_sessions_and_tools(events: list[Priced], metric: Metric) -> None:
    found = filled(1000, events)
    for entity in found.totals():
        own = [one for one, _ in events if entity in entities_of((one.use_case, one.agent, one.model))]
        shares = found.shares(entity, metric)
        assert shares["tool"] == Counter(one.tool for one in own if one.tool)
        for level in ("model", "session"):
            had = {
                name: judged([one for one in own if getattr(one, level) == name], metric) for name in names(own, level)
            }
            assert shares[level] == {name: amount for name, amount in had.items() if amount}


def test_credits_are_no_part_of_what_somebody_spent() -> None:
    found = filled(1000, [(event(session="a"), (7, "given")), (event(session="b"), (-3, "given"))])
    assert found.shares(TENANT, "usd")["session"] == {"a": 7}


def test_more_tools_than_are_told_apart_are_others() -> None:
    calls = [(event(tool=f"tool-{number}"), (0, "free")) for number in (*range(66), 0)]
    tools = filled(1000, calls).shares(TENANT, "tool_calls")["tool"]
    assert (len(tools), tools["tool-0"], tools["tool-63"], tools[OTHER]) == (65, 2, 1, 2)


def names(events: list[UsageEvent], field: str) -> set[str]:
    return {getattr(one, field) for one in events}


def judged(events: list[UsageEvent], metric: Metric) -> int:
    totals = Totals()
    for one in events:
        totals.add(one, (0, "free"))
    return totals.judged(metric)
