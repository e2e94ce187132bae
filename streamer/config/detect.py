"""The detectors."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from streamer.config.base import Level, NotNegative, Positive, Section


class FloorsConfig(Section):
    """How far above its expected value a window must be, in the metric's own unit, to be a burst."""

    tokens: NotNegative = 5_000.0
    steps: NotNegative = 20.0
    tool_calls: NotNegative = 20.0
    requests: NotNegative = 20.0
    usd: NotNegative = 0.02


class GatesConfig(Section):
    """What a value must pass to be a burst, all of it: spread, ratio, and the largest deviation of late."""

    deviations: Positive
    ratio: Annotated[float, Field(gt=1)]
    margin: Annotated[float, Field(ge=1)]


class SessionsConfig(Section):
    """Bursts of sessions that begin, and of requests that name none, by the evidence of all windows together."""

    half_life_seconds: Positive = 3600.0
    warm_up_seconds: Positive = 300.0
    evidence: Positive = 7.5
    ratio: Annotated[float, Field(gt=1)] = 2.5
    sure_ratio: Annotated[float, Field(gt=1)] = 2.0
    floor: NotNegative = 6.0


class BurstConfig(Section):
    """The burst detector."""

    enabled: bool = True
    half_life_seconds: Positive = 900.0
    warm_up_seconds: Positive = 300.0
    counts: GatesConfig = GatesConfig(deviations=3.7, ratio=3.0, margin=1.2)
    amounts: GatesConfig = GatesConfig(deviations=5.0, ratio=5.0, margin=1.5)
    floors: FloorsConfig = FloorsConfig()
    sessions: SessionsConfig = SessionsConfig()
    least_events: Annotated[int, Field(ge=1)] = 20
    large_usd: Positive = 10.0
    clear_windows: Annotated[int, Field(ge=1)] = 12


class RatioConfig(Section):
    """The bloat and mix detectors; the first seven are how many times the usual value is still normal."""

    enabled: bool = True
    size: Annotated[float, Field(gt=1)] = 2.0
    output: Annotated[float, Field(gt=1)] = 1.7
    overall: Annotated[float, Field(gt=1)] = 1.5
    growth: Annotated[float, Field(gt=1)] = 1.4
    price: Annotated[float, Field(gt=1)] = 1.6
    uncached: Annotated[float, Field(gt=1)] = 1.6
    evaluation: Annotated[float, Field(gt=1)] = 2.5
    evidence: Positive = 8.0
    warm_up_slices: Annotated[int, Field(ge=2)] = 10
    half_life_slices: Positive = 720.0
    least_units: Annotated[int, Field(ge=1)] = 2


class SilenceConfig(Section):
    """The silence detector."""

    enabled: bool = True
    expected: Positive = 25.0
    evidence: Positive = 8.0
    least_windows: Annotated[int, Field(ge=2)] = 3
    warm_up_windows: Annotated[int, Field(ge=2)] = 120
    margin: Annotated[float, Field(ge=1)] = 3.0
    longest_seconds: Positive = 7200.0


class DriftConfig(Section):
    """The drift detector."""

    enabled: bool = True
    slice_seconds: Annotated[float, Field(ge=60, le=3600)] = 1800.0
    ratio: Annotated[float, Field(gt=1)] = 1.5
    share: Annotated[float, Field(gt=1)] = 1.5
    evidence: Positive = 5.5
    warm_up_slices: Annotated[int, Field(ge=2)] = 4


class LoopConfig(Section):
    """The loop detector."""

    enabled: bool = True
    repeats: Annotated[int, Field(ge=2)] = 6
    memory: Annotated[int, Field(ge=4, le=1024)] = 32
    window: Annotated[int, Field(ge=4, le=1024)] = 10
    longest_cycle: Annotated[int, Field(ge=2, le=16)] = 4
    span_seconds: Positive = 900.0
    ring_handovers: Annotated[int, Field(ge=2)] = 8
    growth_steps: Annotated[int, Field(ge=2)] = 9
    growth_factor: Annotated[float, Field(ge=1)] = 1.5
    small_output_tokens: Annotated[int, Field(ge=0)] = 20
    pause_seconds: Positive = 20.0
    quiet_seconds: Positive = 30.0
    max_sessions: Annotated[int, Field(ge=10)] = 5_000

    @field_validator("longest_cycle")
    @classmethod
    def _cycles_fit_the_memory(cls, longest: int, others: ValidationInfo) -> int:
        memory, window = others.data.get("memory", 1024), others.data.get("window", 1024)
        if max(window, others.data.get("repeats", 0)) > memory or 2 * longest > window:
            raise ValueError("memory is too short for repeats or window, or window for two rounds of longest_cycle")
        return longest


class BusyworkConfig(Section):
    """The busywork detector: consumption that no outcomes follow, where outcome events are sent."""

    enabled: bool = True
    levels: tuple[Literal["tenant", "use_case", "agent"], ...] = ("tenant", "use_case", "agent")
    slice_seconds: Positive = 900.0
    longest_seconds: Positive = 28_800.0
    lag_seconds: NotNegative = 3600.0
    expected: Positive = 8.0
    ratio: Annotated[float, Field(gt=1)] = 3.0
    evidence: Positive = 7.0
    warm_up_outcomes: Annotated[int, Field(ge=1)] = 20
    half_life_seconds: Positive = 43_200.0
    max_series: Annotated[int, Field(ge=10)] = 1_000

    @field_validator("lag_seconds")
    @classmethod
    def _windows_fit_the_memory(cls, lag: float, others: ValidationInfo) -> float:
        size, longest = others.data.get("slice_seconds", 900.0), others.data.get("longest_seconds", 28_800.0)
        if longest < size or longest + lag > 200 * size:
            raise ValueError("longest_seconds must hold a slice_seconds, and with lag_seconds at most 200 of them")
        return lag


class SeverityConfig(Section):
    """How severe an anomaly is, by dollars an hour, or by them and its score."""

    critical_usd_per_hour: Annotated[Decimal, Field(ge=0)] = Decimal(100)
    critical_sure_usd_per_hour: Annotated[Decimal, Field(ge=0)] = Decimal(10)
    critical_score: Annotated[float, Field(ge=0, le=1)] = 0.9
    warning_usd_per_hour: Annotated[Decimal, Field(ge=0)] = Decimal(1)
    warning_score: Annotated[float, Field(ge=0, le=1)] = 0.6


class FatigueConfig(Section):
    """Alarm fatigue: how much stronger than the last the next anomaly of a kind must be in the same tenant."""

    step: NotNegative = 0.3
    most: Annotated[float, Field(ge=1)] = 1.8
    half_life_seconds: Positive = 14_400.0


class DetectConfig(Section):
    """All detectors that judge."""

    levels: tuple[Level, ...] = ("tenant", "use_case", "agent")
    max_series: Annotated[int, Field(ge=10)] = 5_000
    least_usd_per_hour: NotNegative = 0.25
    small_usd_per_hour: NotNegative = 0.05
    severity: SeverityConfig = SeverityConfig()
    fatigue: FatigueConfig = FatigueConfig()
    burst: BurstConfig = BurstConfig()
    ratio: RatioConfig = RatioConfig()
    drift: DriftConfig = DriftConfig()
    silence: SilenceConfig = SilenceConfig()
    loop: LoopConfig = LoopConfig()
    busywork: BusyworkConfig = BusyworkConfig()
