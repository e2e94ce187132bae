"""What was usual of one metric of a series, and from when on: the rollups tell it about once a minute."""

from array import array

from streamer.records import Usual

# So many are kept, evenly apart: as many as a chart can show.
_MOST = 120
_WIDTH = 5


class Bands:
    """The newest so many over `history` seconds, in 40 bytes each; a closer one than the others are apart is left out.

    >>> bands = Bands(600.0)
    >>> bands.add(60.0, Usual(1, 2, 3, 9)), bands.add(61.0, Usual(1, 2, 3, 8)), bands.add(120.0, Usual(2, 3, 4, 9))
    (None, None, None)
    >>> bands.since(100.0)
    [[60.0, 1.0, 2.0, 3.0, 9.0], [120.0, 2.0, 3.0, 4.0, 9.0]]
    """

    __slots__ = ("_apart", "_numbers")

    def __init__(self, history: float) -> None:
        self._apart, self._numbers = history / _MOST, array("d")

    def add(self, at: float, usual: Usual) -> None:
        """Take in what holds from `at` (epoch seconds) on."""
        numbers = self._numbers
        if numbers and at < numbers[-_WIDTH] + self._apart:
            return
        numbers.extend((at, usual.low, usual.expected, usual.high, usual.ceiling))
        if len(numbers) > (_MOST + 1) * _WIDTH:
            del numbers[:_WIDTH]

    def since(self, first: float) -> list[list[float]]:
        """Give time, low, expected, high and ceiling of each, from the one on that holds at `first`."""
        found = [self._numbers[at : at + _WIDTH].tolist() for at in range(0, len(self._numbers), _WIDTH)]
        before = sum(one[0] <= first for one in found)
        return found[max(0, before - 1) :]
