"""A ring of buckets sums exactly what came within a span of time, in whatever order."""

from hypothesis import given
from hypothesis import strategies as st

from detectors.ring import Ring

WIDTH, SIZE = 10, 6
AMOUNTS = st.lists(st.tuples(st.integers(-(10**30), 10**30), st.integers(0, 200)), max_size=40)


def ring(amounts: list[tuple[int, int]]) -> Ring:
    made = Ring(WIDTH, SIZE)
    for amount, at in amounts:
        made.add(amount, float(at))
    return made


@given(AMOUNTS, st.integers(0, SIZE - 1))
def test_whole_buckets_are_the_exact_sum_of_what_came_in_them(amounts: list[tuple[int, int]], buckets: int) -> None:
    newest = max((at for _, at in amounts), default=0)
    begin = newest // WIDTH * WIDTH - buckets * WIDTH
    # In order of time nothing is too late, so nothing is dropped.
    made = ring(sorted(amounts, key=lambda amount: amount[1]))
    assert made.within(newest - begin, newest) == sum(amount for amount, at in amounts if begin <= at)


@given(AMOUNTS, st.randoms())
def test_the_order_changes_nothing(amounts: list[tuple[int, int]], rng: st.DataObject) -> None:
    shuffled = list(amounts)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    newest = max((at for _, at in amounts), default=0)
    recent = [(amount, at) for amount, at in amounts if at // WIDTH > newest // WIDTH - SIZE]
    assert ring(shuffled).written() == ring(amounts).written() == ring(recent).written()


@given(AMOUNTS, AMOUNTS)
def test_what_is_written_is_read_again_whatever_was_there(
    amounts: list[tuple[int, int]], own: list[tuple[int, int]]
) -> None:
    made, again = ring(amounts), ring(own)
    again.read(made.written())
    assert again.written() == made.written()
    assert again.sums(25) == made.sums(25)


def test_of_the_bucket_that_a_span_begins_in_the_share_by_time_counts() -> None:
    made = ring([(100, 5), (10, 15), (1, 25)])
    assert made.within(20, 25) == 50 + 10 + 1
    assert made.within(13, 25) == 80 * 10 // 100 + 1
    assert made.within(25, 25) == 111


def test_time_that_passes_moves_the_span_on_and_changes_nothing() -> None:
    made = ring([(100, 5)])
    before = made.written()
    assert [made.within(20, now) for now in (5, 25, 35, 10**9)] == [100, 50, 0, 0]
    assert made.written() == before


def test_what_is_later_than_now_is_left_out() -> None:
    assert ring([(100, 5), (1, 59)]).within(20, 9) == 100
