"""A repeated event changes nothing, for as long as its id is remembered, and across restarts."""

from array import array
from functools import partial
from itertools import takewhile

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.dedup import Place, SeenIds
from tests.streamer.samples import NOW

SPAN = 800.0
SOURCES = st.sampled_from(["a", "b"])
IDS = st.sampled_from(["1", "2", "3", "4"])
# In steps of seconds, so that repeats, gaps and old events all occur.
ARRIVALS = st.lists(st.tuples(SOURCES, IDS, st.integers(0, 4000)), max_size=60)
# No repeat, times of all ages, and enough to fill what is bounded: without a least size most would be a handful.
CROWDS = st.lists(
    st.tuples(SOURCES, st.integers(0, 10**6).map(str), st.integers(0, 10**5)),
    min_size=40,
    max_size=120,
    unique_by=lambda one: one[:2],
)
Arrivals = list[tuple[str, str, int]]
Log = dict[Place, bytes]


# Chunks so small that a few dozen ids fill many.
CHUNK = 4
Seen = partial(SeenIds, chunk=CHUNK)


def take(seen: SeenIds, source: str, name: str, at: float) -> bool:
    """What the pipeline does with each event."""
    return seen.add(source, name, NOW + at)


def stored(seen: SeenIds, log: Log) -> Log:
    """Lay what changed over what was written before."""
    for place, chunk in seen.changes():
        if chunk is None:
            log.pop(place, None)
        else:
            log[place] = chunk
    return log


def restored(log: Log, most: int = 1_000_000) -> SeenIds:
    seen = Seen(SPAN, most)
    seen.restore(log)
    return seen


def ids(log: Log) -> list[int]:
    """Every id that is written down."""
    return [name for chunk in log.values() for name in array("Q", chunk)]


@settings(max_examples=100, deadline=None)
@given(ARRIVALS)
def test_a_repeat_within_the_span_is_dropped_and_nothing_else_is(arrivals: Arrivals) -> None:
    """What lies more than the span back is forgotten when a newer event comes, an eighth of the span late at most."""
    seen, last, newest = Seen(SPAN), dict[tuple[str, str], int](), 0
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
@given(ARRIVALS | CROWDS, ARRIVALS | CROWDS, st.integers(0, 60), st.sampled_from([9, 20, 10**6]))
def test_what_is_restored_gives_the_same_answers_and_the_same_bytes(
    before: Arrivals, after: Arrivals, cut: int, most: int
) -> None:
    seen, log = Seen(SPAN, most), Log()
    for number, arrival in enumerate(before):
        take(seen, *arrival)
        if number == cut:
            stored(seen, log)
    again = restored(stored(seen, log), most)
    assert len(again) == len(seen)
    assert [take(again, *arrival) for arrival in after] == [take(seen, *arrival) for arrival in after]
    assert list(again.changes()) == list(seen.changes())


@settings(max_examples=60, deadline=None)
@given(ARRIVALS | CROWDS, st.lists(st.integers(0, 120)))
def test_what_is_written_in_steps_is_what_is_written_at_once(arrivals: Arrivals, checkpoints: list[int]) -> None:
    """And each id is in it once."""
    steps, once, log = Seen(SPAN), Seen(SPAN), Log()
    for number, arrival in enumerate(arrivals):
        take(steps, *arrival)
        take(once, *arrival)
        if number in checkpoints:
            stored(steps, log)
    assert stored(steps, log) == stored(once, {})
    assert len(ids(log)) == len(set(ids(log))) == len(once)
    assert list(once.changes()) == []


@settings(max_examples=60, deadline=None)
@given(ARRIVALS)
def test_equal_ids_are_written_whatever_their_order_of_arrival(arrivals: Arrivals) -> None:
    """Their places within a stretch are in the order of their arrival, so that little is written again."""
    one, other = SeenIds(1e9), SeenIds(1e9)
    for arrival in arrivals:
        one.add(*arrival)
    for arrival in reversed(arrivals):
        other.add(*arrival)
    assert sorted(ids(stored(one, {}))) == sorted(ids(stored(other, {})))


@settings(max_examples=60, deadline=None)
@given(ARRIVALS | CROWDS, st.sampled_from([9, 10**6]))
def test_an_id_writes_again_one_chunk_at_most_and_else_drops_some(arrivals: Arrivals, most: int) -> None:
    seen = Seen(SPAN, most)
    for arrival in arrivals:
        new = take(seen, *arrival)
        written = [chunk for _, chunk in seen.changes() if chunk is not None]
        assert len(written) == new
        assert sum(map(len, written)) <= 8 * CHUNK


@settings(max_examples=100, deadline=None)
@given(CROWDS)
def test_times_of_all_ages_make_no_more_than_nine_stretches(arrivals: Arrivals) -> None:
    seen, log = Seen(SPAN), Log()
    for arrival in arrivals:
        take(seen, *arrival)
        stretches = {number for number, _ in stored(seen, log)}
        assert len(stretches) <= SeenIds.PARTS + 1
        assert not stretches or max(stretches) - min(stretches) <= SeenIds.PARTS


@settings(max_examples=100, deadline=None)
@given(CROWDS, st.integers(9, 40), st.booleans())
def test_no_more_ids_are_kept_than_the_bound_and_a_chunk_and_what_is_forgotten_early_is_counted(
    arrivals: Arrivals, most: int, steps: bool
) -> None:
    seen, unbounded, log = Seen(1e9, most), Seen(1e9), Log()
    for arrival in arrivals:
        take(seen, *arrival)
        take(unbounded, *arrival)
        assert len(seen) <= most + CHUNK
        if steps:
            assert len(ids(stored(seen, log))) == len(seen)
    assert len(seen) + seen.squeezed() == len(unbounded)
    assert seen.squeezed() == 0


def test_beyond_the_bound_the_oldest_ids_are_forgotten_and_the_newest_are_not() -> None:
    seen = Seen(SPAN, most=40)
    for number in range(100):
        assert take(seen, "a", str(number), number)
    squeezed = seen.squeezed()
    assert 100 - 40 - CHUNK <= squeezed <= 100 - 40 + CHUNK
    known = list(takewhile(lambda number: not take(seen, "a", str(number), 100), reversed(range(100))))
    assert len(known) == 100 - squeezed


def test_memory_is_bounded_by_the_span() -> None:
    seen, most = SeenIds(SPAN), 0
    for number in range(20_000):
        take(seen, "a", str(number), float(number))
        most = max(most, len(seen))
    assert most <= SPAN * (1 + 2 / SeenIds.PARTS)
    assert seen.squeezed() == 0
    assert any(chunk is None for _, chunk in seen.changes())


def test_an_old_event_does_not_make_the_newer_ones_forgotten() -> None:
    seen = SeenIds(SPAN)
    take(seen, "a", "new", 5000)
    take(seen, "a", "old", 0)
    assert not take(seen, "a", "new", 5000)
    assert not take(seen, "a", "old", 0)


def test_source_and_id_are_told_apart() -> None:
    seen = SeenIds(SPAN)
    assert take(seen, "a", "bc", 0)
    assert take(seen, "ab", "c", 0)
    assert not take(seen, "a", "bc", 1)


@settings(max_examples=100, deadline=None)
@given(ARRIVALS, st.sampled_from([80.0, 300.0, SPAN, 2000.0, 40_000.0]))
def test_what_lies_within_both_spans_is_known_after_a_change_and_written_where_it_is_by_now(
    arrivals: Arrivals, span: float
) -> None:
    seen, log = Seen(SPAN), Log()
    first = [one for one in sorted(arrivals, key=lambda arrival: arrival[2]) if take(seen, *one)]
    newest = max((at for _, _, at in first), default=0)
    other, again = Seen(span), Seen(span)
    other.restore(stored(seen, log), SPAN, NOW + newest)
    again.restore(stored(other, dict(log)), span, NOW + newest)
    for one in (other, again):
        assert take(one, "a", "the next", newest + 1)
        assert not any(take(one, *known) for known in first if known[2] > newest + 1 - min(span, SPAN))
    # And no longer than for a stretch more than is asked for by now, but for what was one stretch before.
    assert take(other, "a", "long after", newest + span + (span + SPAN) / SeenIds.PARTS + 1)
    assert len(other) == 1
