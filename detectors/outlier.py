"""Outliers of any one series, scored online from the past alone: how many views of it break their recent range."""

import math
from struct import Struct

import msgspec

from detectors.ranges import RecentRanges, Record
from detectors.rarity import Rarity
from detectors.season import Period
from detectors.views import SeriesViews

DAY = Period(seconds=86400.0, slots=24, rate=0.1)
WEEK = Period(seconds=604800.0, slots=168, rate=0.2)

_LIMIT = 1e150
_LEAST_WIDTH = 1e-3
_LENGTHS = Struct("<II")


class OutlierParams(msgspec.Struct, frozen=True):
    """What the scorer looks at and remembers; lengths are numbers of rows.

    `spans`: how many rows the views are smoothed over; 1 is the row itself. `spread_span`: over how many the spread
    is measured. `periods`: seasons, the most general first. `memory`, `blocks`: how far back ranges and counts reach,
    and in how many pieces. `margins`: how far outside its range a view has to lie, in widths of the range; each gives
    an equal part of its vote. `fading`: how long a vote lasts. `hold`, `gain`: a surprise counts that is `gain` times
    as strong as all of the last `hold` rows. `warm_up`: rows that are not scored.

    The defaults take about 5 KB. With `spans=(1, 8), blocks=8` and the day alone it is 1.7 KB and about 4 points of
    NAB's standard score less, without any season 1.5 KB and 9 points less. A `memory` of 4,096 rows costs 4 points.
    """

    spans: tuple[int, ...] = (1, 4, 16)
    spread_span: int = 30
    periods: tuple[Period, ...] = (DAY, WEEK)
    memory: int = 16384
    blocks: int = 16
    margins: tuple[float, ...] = (0.03, 0.1)
    fading: float = 20.0
    hold: int = 80
    gain: float = 1.2
    warm_up: int = 32


class OutlierScorer:
    """Scores the rows of one series by how many views of it leave their recent range, and how seldom that happens.

    Each view (see `SeriesViews`) that leaves its recent range (see `RecentRanges`) has a vote, which fades. The sum of
    the votes is the surprise; only a rise of it is scored, against the detector's own history (see `Rarity`). Nothing
    is assumed about distribution, unit or sampling interval. A score of 0 is the rule: most rows raise nothing.

    >>> scorer = OutlierScorer(OutlierParams())
    >>> scores = [scorer.observe(60.0 * row, row % 7) for row in range(500)]
    >>> max(scores) < 0.5 < scorer.observe(30000.0, 20.0)
    True
    """

    __slots__ = ("_fade", "_ranges", "_rarity", "_views", "_voted", "_votes", "params")

    def __init__(self, params: OutlierParams) -> None:
        self.params = params
        self._views = SeriesViews(params.spans, params.spread_span, params.periods, params.memory)
        self._votes = [0.0] * (3 * len(params.spans) + 1)
        self._voted = 0
        self._ranges = RecentRanges(len(self._votes), params.blocks, params.memory)
        self._rarity = Rarity(params.hold, params.gain, params.memory)
        self._fade = math.exp(-1 / params.fading)

    def observe(self, at: float, value: float) -> float:
        """Score `value` at `at` (seconds; only its place in day and week matters) from the past alone, then learn it.

        Raises ValueError where either is not finite. Values beyond 1e150 count as that, so that squares stay finite.
        """
        if not (math.isfinite(value) and math.isfinite(at)):
            raise ValueError(f"a value and its time must be finite numbers, not {value} at {at}")
        records = self._ranges.learn_one(self._views.learn_one(at, max(-_LIMIT, min(_LIMIT, value))))
        self._rarity.pass_row()
        if not records or self._views.rows <= self.params.warm_up or not self._vote(records):
            return 0.0
        return self._rarity.score_rise(sum(self._votes) / len(self._votes))

    def snapshot(self) -> bytes:
        """Write the whole state down."""
        parts = [self._own.pack(self._voted, *self._votes), self._views.snapshot(), self._ranges.snapshot()]
        return _LENGTHS.pack(len(parts[1]), len(parts[2])) + b"".join([*parts, self._rarity.snapshot()])

    def restore(self, snapshot: bytes) -> None:
        """Take up the state that `snapshot` wrote, by a scorer of the same parameters."""
        views, ranges = _LENGTHS.unpack_from(snapshot)
        self._voted, *self._votes = self._own.unpack_from(snapshot, _LENGTHS.size)
        begin = _LENGTHS.size + self._own.size
        self._views.restore(snapshot[begin : begin + views])
        self._ranges.restore(snapshot[begin + views : begin + views + ranges])
        self._rarity.restore(snapshot[begin + views + ranges :])

    @property
    def _own(self) -> Struct:
        return Struct(f"<Q{len(self._votes)}d")

    def _vote(self, records: list[Record]) -> bool:
        """Fade the old votes and count the new ones; true where one rose."""
        weighed = [(record.place, vote) for record in records if (vote := self._weigh(record)) > 0]
        if not weighed:
            return False
        faded = self._fade ** (self._views.rows - self._voted)
        old = self._votes = [vote * faded for vote in self._votes]
        self._voted, rose = self._views.rows, False
        for index, vote in weighed:
            rose = rose or vote >= old[index]
            old[index] = max(old[index], vote)
        return rose

    def _weigh(self, record: Record) -> float:
        # What is small against the size of the values is rounding, in a series that stands still.
        third = len(self.params.spans)
        unit = 1.0 if third <= record.place < 2 * third or record.place == 3 * third else self._views.scale
        width = max(record.width, _LEAST_WIDTH * unit)
        return sum(record.excess > margin * width for margin in self.params.margins) / len(self.params.margins)
