"""From the configuration to the parameters of the models: seconds become numbers of windows and slices."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from detectors import DispersionParams, DriftParams, RateParams, RatioParams, SilenceParams, SurgeParams
from streamer.config import BurstConfig, DetectConfig, DriftConfig, RatioConfig, SessionsConfig, SilenceConfig
from streamer.judges.horizons import Horizon
from streamer.judges.models import ModelParams
from streamer.judges.ratio_state import ONE_BY_ONE, RATIOS, RatioName, RatiosConfig
from streamer.windows.totals import METRICS, Metric

# Longer horizons by their seconds, how many times the half-life and the warm-up of the window they have, and how many
# times its deviations and its floor: they are fewer, and so is what chance brings, and one busy session fills them.
_LONGER = ((60.0, 2.0, 2.0, 0.92, 1.35), (300.0, 4.0, 4.0, 0.9, 1.5), (1800.0, 8.0, 18.0, 0.9, 2.0))
_PEAK_HALF_LIFE = 86_400.0
# What small numbers are blurred by: about three ordinary events.
_OFFSETS: Mapping[Metric, float] = {"tokens": 2000.0, "usd": 0.005}
# Over how many seconds the swings of arrivals are learned, how fast that is forgotten, and what the prior weighs.
_SPANS, _DISPERSION_HALF_LIFE, _DISPERSION_PRIOR = (60.0, 300.0, 1800.0), 43_200.0, 600.0
# How many times the warm-up of other ratios that of slow growth is.
_PATIENCE = 6
# How much more evidence of some is asked for: few sessions say little of a price, for models differ by ten times.
_CAUTION: Mapping[RatioName, float] = {"price": 1.5}
_DAY, _HOUR = 86_400.0, 3600.0


# Tenants share them: they are 5 KB, and take most of the time that a new tenant does.
@lru_cache(16)
def model_params(config: DetectConfig, size: float) -> ModelParams:
    """Give the parameters of all models of windows of `size` seconds."""
    horizons = [_horizon(config.burst, size, 1, (1.0, 1.0, 0.92, 1.2))]
    for seconds, *times in _LONGER:
        if (windows := round(seconds / size)) > 1:
            horizons.append(_horizon(config.burst, size, windows, times))
    return ModelParams(
        tuple(horizons),
        _silence(config.silence, size),
        _surge(config.burst.sessions, size),
        _drift(config.drift),
        _ratios(config.ratio, config.drift),
    )


def _horizon(config: BurstConfig, size: float, windows: int, times: Sequence[float]) -> Horizon:
    # Over more than one window, tokens would say what requests and dollars do.
    metrics = [metric for metric in METRICS if windows == 1 or metric != "tokens"]
    return Horizon(windows, {metric: _rate(config, metric, size * windows, times) for metric in metrics})


def _rate(config: BurstConfig, metric: Metric, length: float, times: Sequence[float]) -> RateParams:
    fading, warm_up, deviations, floor = times
    gates = config.amounts if metric in _OFFSETS else config.counts
    return RateParams(
        half_life=config.half_life_seconds * fading / length,
        warm_up=max(1, round(config.warm_up_seconds * warm_up / length)),
        deviations=gates.deviations * deviations,
        ratio=gates.ratio,
        margin=gates.margin,
        peak_half_life=_PEAK_HALF_LIFE / length,
        offset=_OFFSETS.get(metric, 3.0),
        excess=getattr(config.floors, metric) * floor,
    )


def _surge(config: SessionsConfig, size: float) -> SurgeParams:
    spans = sorted({max(1, round(seconds / size)) for seconds in _SPANS})
    dispersion = DispersionParams(
        tuple(spans), half_life=_DISPERSION_HALF_LIFE / size, prior_weight=_DISPERSION_PRIOR / size
    )
    return SurgeParams(
        half_life=config.half_life_seconds / size,
        warm_up=max(1, round(config.warm_up_seconds / size)),
        evidence=config.evidence,
        ratio=config.ratio,
        sure_ratio=min(config.ratio, config.sure_ratio),
        excess=config.floor,
        dispersion=dispersion,
    )


def _silence(config: SilenceConfig, size: float) -> SilenceParams:
    return SilenceParams(
        least=float(config.least_windows),
        most=config.longest_seconds / size,
        warm_up=config.warm_up_windows,
        expected=config.expected,
        evidence=config.evidence,
        margin=config.margin,
        kept=float(0.5 ** (size / _DAY)),
    )


def _drift(config: DriftConfig) -> DriftParams:
    return DriftParams(ratio=config.ratio, evidence=config.evidence, half_life=2 * _DAY / config.slice_seconds)


def _ratios(config: RatioConfig, drift: DriftConfig) -> RatiosConfig:
    share = RatioParams(
        half_life=_DAY / drift.slice_seconds,
        warm_up=drift.warm_up_slices,
        prior=2.0,
        ratio=drift.share,
        evidence=drift.evidence,
        trend_half_life=_HOUR / drift.slice_seconds,
        most_of_one=0.3,
    )
    params: dict[RatioName, RatioParams] = {
        name: RatioParams(
            half_life=config.half_life_slices,
            warm_up=config.warm_up_slices,
            ratio=getattr(config, name),
            evidence=config.evidence * _CAUTION.get(name, 1.0),
            most_of_one=0.3,
        )
        for name in RATIOS
        if name not in ONE_BY_ONE and name != "growth"
    }
    params["growth"] = RatioParams(
        half_life=2 * config.half_life_slices,
        warm_up=_PATIENCE * config.warm_up_slices,
        prior=1.0,
        ratio=config.growth,
        evidence=config.evidence,
        most_of_one=0.1,
        robust=0.15,
    )
    params["size"] = _one_by_one(config, config.size)
    params["output"] = _one_by_one(config, config.output)
    params["overall"] = _one_by_one(config, config.overall)
    return RatiosConfig(params, share, config.least_units, config.warm_up_slices)


def _one_by_one(config: RatioConfig, ratio: float) -> RatioParams:
    return RatioParams(
        half_life=config.half_life_slices,
        warm_up=config.warm_up_slices,
        ratio=ratio,
        # The odds of a change to the square of the gate are twice those of one to the gate.
        evidence=config.evidence / 2,
        most_of_one=0.3,
        least_deviation=0.3,
        robust=1.0,
        spreads=3.0,
        newest=0.5,
    )
