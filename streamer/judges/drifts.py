"""Judges drift: volume that rises slowly, against the same hours of other days and against the rest of the tenant."""

from decimal import Decimal

import msgspec

from detectors import DriftDetector, RatioBaseline
from streamer.config import DriftConfig
from streamer.judges.book import Book, Standing
from streamer.judges.cases import HOUR, Reading
from streamer.judges.causes import Parts, spelled
from streamer.judges.models import Models, Registry
from streamer.judges.relation import scope_of
from streamer.pricing.money import ZERO
from streamer.windows.entity import TENANT
from streamer.windows.gauge import Gauge
from streamer.windows.open import OpenWindow
from streamer.windows.totals import value_of

_HOUR = 3600.0
# Requests come in sessions: so many together tell what one would tell alone.
_CLUSTER = 4.0
# Of less a slice, a share says nothing.
_ENOUGH = 20.0
# An hour of which less was seen says nothing of it.
_SEEN = 0.5


class DriftJudge:
    """The volume of one tenant's entities, in slices of `slice_seconds`."""

    def __init__(self, config: DriftConfig, registry: Registry, book: Book) -> None:
        self._config, self._registry, self._book = config, registry, book

    def on_close(self, models: Models, gauge: Gauge, window: OpenWindow) -> None:
        """Take in a closed window; judge the slice before it, where this one begins another."""
        volume, length = models.volume, self._config.slice_seconds
        if not volume.begin:
            volume.begin = volume.hour_start = volume.slice_start = window.start
        if window.start // length > volume.slice_start // length:
            self._turn_slice(models, window)
        if window.start // _HOUR > volume.hour_start // _HOUR:
            self._turn_hour(models, window.start)
        volume.slice_sum += gauge.requests
        volume.hour_sum += gauge.requests
        volume.slice_usd += value_of(gauge, "usd")

    def _turn_slice(self, models: Models, window: OpenWindow) -> None:
        volume, length = models.volume, self._config.slice_seconds
        begin = volume.slice_start // length * length
        self._end_slice(models, begin, window)
        if window.start >= begin + 2 * length:
            # Of a gap the beginning says that it is one: what comes once an hour is not twice as much in half of it.
            self._end_slice(models, begin + length, window)
        volume.slice_start = window.start

    def _end_slice(self, models: Models, begin: float, window: OpenWindow) -> None:
        volume = models.volume
        volume.last_start, volume.last_sum, volume.last_usd = begin, volume.slice_sum, volume.slice_usd
        volume.slice_sum = volume.slice_usd = 0.0
        if volume.begin <= begin:
            self._judge(models, begin, window)

    def _turn_hour(self, models: Models, start: float) -> None:
        volume = models.volume
        begin = volume.hour_start // _HOUR * _HOUR
        seen = begin + _HOUR - max(begin, volume.begin)
        if seen >= _SEEN * _HOUR:
            self._registry.learn_hour(models, begin, volume.hour_sum * _HOUR / seen)
        volume.hour_start, volume.hour_sum = start, 0.0

    def _judge(self, models: Models, begin: float, window: OpenWindow) -> None:
        held, length = models.volume.last_sum, self._config.slice_seconds
        usual = models.season.expected(begin + length / 2) if models.season else None
        if usual is not None:
            models.drift.learn_one(held, usual * length / _HOUR)
        rest = self._rest(models, begin)
        if rest > 0 and held >= _ENOUGH:
            models.share.learn_one(held / rest, min(held, rest) / _CLUSTER)
        self._tell(models, usual, rest, window)

    def _rest(self, models: Models, begin: float) -> float:
        whole = self._registry.get(TENANT)
        if models.entity == TENANT or whole is None or whole.volume.last_start != begin:
            return 0.0
        return whole.volume.last_sum - models.volume.last_sum

    def _tell(self, models: Models, usual: float | None, rest: float, window: OpenWindow) -> None:
        case = self._book.standing.get(self._book.series(models.entity, "drift")) if self._book else None
        proof = _proof(models, usual)
        # Where the rest of the tenant rises as well, it is the tenant that drifts.
        alone = rest <= 0 or models.share.deviation > models.share.params.gate / 2
        if case and proof.calm:
            self._book.close(case, window.end)
        elif case:
            self._book.update(case, window.end, self._reading(models, usual, rest, self._book.excess(case)))
        elif proof.abnormal and alone and self._config.enabled:
            self._open(models, self._reading(models, usual, rest, ZERO), window)

    def _open(self, models: Models, reading: Reading, window: OpenWindow) -> None:
        # What was proven while another case explained it may have ended with that.
        if reading.observed <= reading.expected:
            return
        entity = models.entity
        causes = Parts(window, lambda _, __: 0.0).causes(entity, "requests")
        reading = msgspec.structs.replace(reading, reason=reading.reason + spelled(causes), causes=causes)
        series = self._book.series(entity, "drift")
        self._book.open(Standing(series, "drift", entity, "drift", scope_of(entity), window.end), reading)

    def _reading(self, models: Models, usual: float | None, rest: float, before: Decimal) -> Reading:
        held, length = models.volume.last_sum, self._config.slice_seconds
        proof = _proof(models, usual)
        if usual is not None and proof is models.drift:
            expected, against = usual * length / _HOUR, "at this hour"
        else:
            expected, against = models.share.expected * rest, "beside the rest of the tenant"
        share = max(0.0, 1 - expected / held) if held else 0.0
        above = Decimal(repr(models.volume.last_usd * share))
        return Reading(
            observed=held,
            expected=round(expected, 6),
            score=proof.score,
            usd_excess=before + above,
            usd_per_hour=above * HOUR / Decimal(repr(length)),
            seconds=length,
            reason=f"{held:,.0f} requests in {length / 60:g} min, {held / max(expected, 1.0):.1f} times"
            f" the {expected:,.0f} usual {against}, after a slow rise",
        )


def _proof(models: Models, usual: float | None) -> DriftDetector | RatioBaseline:
    """Give what speaks the louder: the same hour of other days, where one is known, or the rest of the tenant."""
    return models.drift if usual is not None and models.drift.score >= models.share.score else models.share
