from benchmarks.quality.nab import _halves

NAMES = [f"family/{number:02}.csv" for number in range(30)]


def test_each_split_is_of_two_halves_that_share_nothing_and_goes_both_ways():
    ways = list(_halves(NAMES))
    assert all(sorted(tuning + reported) == NAMES and len(tuning) == 15 for tuning, reported in ways)
    assert all(there == tuple(reversed(back)) for there, back in zip(ways[::2], ways[1::2], strict=True))
