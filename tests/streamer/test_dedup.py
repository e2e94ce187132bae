"""A repeated event changes nothing, for as long as its id is remembered, and across restarts."""

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.dedup import SeenIds
from tests.streamer.samples import NOW

SPAN = 800.0
SOURCES = st.sampled_from(["a", "b"])
IDS = st.sampled_from(["1", "2", "3", "4"])
# In steps of seconds, so that repeats, gaps and old events all occur.
ARRIVALS = st.lists(st.tuples(SOURCES, IDS, st.integers(0, 4000)), max_size=60)
Arrivals = list[tuple[str, str, int]]


def take(seen: SeenIds, source: str, name: str, at: float) -> bool:
    """What the pipeline does with each event."""
    new = seen.add(source, name, NOW + at)
    if new:
        seen.forget(NOW + at)
    return new


def stored(seen: SeenIds, log: dict[int, bytes]) -> dict[int, bytes]:
    """Lay what changed over what was written before."""
    for number, bucket in seen.changes():
        if bucket is None:
            log.pop(number, None)
        else:
            log[number] = bucket
    return log


def restored(log: dict[int, bytes]) -> SeenIds:
    seen = SeenIds(SPAN)
    for number, bucket in log.items():
        seen.restore(number, bucket)
    return seen


@settings(max_examples=100, deadline=None)
@given(ARRIVALS)
def test_a_repeat_within_the_span_is_dropped_and_nothing_else_is(arrivals: Arrivals) -> None:
    """What lies more than the span back is forgotten when a newer event comes, an eighth of the span late at most."""
    seen, last, newest = SeenIds(SPAN), dict[tuple[str, str], int](), 0
    for source, name, at in sorted(arrivals, key=lambda arrival: arrival[2]):
        before = last.get((source, name))
        new = take(seen, source, name, at)
        if before is None or newest - before > SPAN * (1 + 1 / SeenIds.PARTS):
            assert new
        elif at - before <= SPAN:
            assert not new
        if new:
            last[source, name] = newest = at


@settings(max_examples=100, deadline=None)
@given(ARRIVALS, ARRIVALS, st.integers(0, 60))
def test_what_is_restored_gives_the_same_answers(before: Arrivals, after: Arrivals, cut: int) -> None:
    seen, log = SeenIds(SPAN), dict[int, bytes]()
    for number, arrival in enumerate(before):
        take(seen, *arrival)
        if number == cut:
            stored(seen, log)
    again = restored(stored(seen, log))
    assert len(again) == len(seen)
    assert [take(again, *arrival) for arrival in after] == [take(seen, *arrival) for arrival in after]


@settings(max_examples=60, deadline=None)
@given(ARRIVALS)
def test_equal_ids_are_written_as_equal_bytes(arrivals: Arrivals) -> None:
    one, other = SeenIds(1e9), SeenIds(1e9)
    for arrival in arrivals:
        one.add(*arrival)
    for arrival in reversed(arrivals):
        other.add(*arrival)
    assert list(one.changes()) == list(other.changes())
    assert list(one.changes()) == []


def test_memory_is_bounded_by_the_span() -> None:
    seen, most = SeenIds(SPAN), 0
    for number in range(20_000):
        take(seen, "a", str(number), float(number))
        most = max(most, len(seen))
    assert most <= SPAN * (1 + 2 / SeenIds.PARTS)
    dropped = [number for number, bucket in seen.changes() if bucket is None]
    assert dropped


def test_an_old_event_does_not_make_the_newer_ones_forgotten() -> None:
    seen = SeenIds(SPAN)
    take(seen, "a", "new", 5000)
    take(seen, "a", "old", 0)
    assert not take(seen, "a", "new", 5000)


def test_source_and_id_are_told_apart() -> None:
    seen = SeenIds(SPAN)
    assert take(seen, "a", "bc", 0)
    assert take(seen, "ab", "c", 0)
    assert not take(seen, "a", "bc", 1)
