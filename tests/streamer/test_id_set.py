"""A set of hashes holds what Python's own would hold, whatever is put in and taken out."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from streamer.id_set import IdSet

# Few enough to meet again, and many that want the same places.
KEYS = st.sampled_from([*range(-9, 10), *(8 * n for n in range(40)), *(2**62 + 64 * n for n in range(40)), -(2**63)])
STEPS = st.lists(st.tuples(st.booleans(), KEYS), max_size=300)


@given(STEPS)
def test_it_holds_what_was_put_in_and_not_taken_out(steps: list[tuple[bool, int]]) -> None:
    known, plain = IdSet(), set[int]()
    for adds, key in steps:
        kept = key or 1  # 0 and 1 are one
        if adds:
            assert known.add(key) == (kept not in plain)
            plain.add(kept)
        else:
            known.discard(key)
            plain.discard(kept)
        assert len(known) == len(plain)
    assert {key for _, key in steps if key in known} == {key for _, key in steps if (key or 1) in plain}


def test_it_grows_and_shrinks_with_what_it_holds() -> None:
    random, known = Random(1), IdSet()
    keys = [random.getrandbits(64) - 2**63 for _ in range(5000)]
    assert all(known.add(key) for key in keys)
    for key in keys[:4990]:
        known.discard(key)
    assert len(known) == 10
    assert [key in known for key in keys] == [False] * 4990 + [True] * 10
