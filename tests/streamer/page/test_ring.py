"""The ring holds the newest slots, and nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from streamer.page.ring import Ring

SIZE = 8
ADDED = st.lists(st.tuples(st.integers(0, 40), st.integers(-5, 100)))


@given(ADDED)
def test_it_holds_what_a_dictionary_of_the_newest_slots_would(added: list[tuple[int, int]]) -> None:
    ring, known, last = Ring(SIZE), dict[int, int](), -1
    for slot, amount in added:
        ring.add(slot, amount)
        last = max(last, slot)
        if slot > last - SIZE:
            known[slot] = known.get(slot, 0) + amount
    kept = {slot: amount for slot, amount in known.items() if slot > last - SIZE}
    assert ring.values(0, 50) == [kept.get(slot, 0) for slot in range(50)]
    assert ring.total(0, 50) == sum(kept.values())


def test_slots_that_nothing_came_in_are_nothing_even_where_the_ring_has_turned() -> None:
    ring = Ring(SIZE)
    ring.add(3, 7)
    ring.add(3 + SIZE, 1)
    ring.add(2 + 3 * SIZE, 1)
    assert ring.values(0, 4 * SIZE).count(0) == 4 * SIZE - 1
