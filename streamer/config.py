"""The configuration's sections and their defaults; `streamer.settings` reads them from a file and the environment."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from streamer.periods import PeriodName

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Level = Literal["tenant", "use_case", "agent", "model"]
AlertLabel = Literal["tenant", "use_case", "agent", "model", "session", "tool", "kind", "severity", "line"]
AnomalyKind = Literal["burst", "loop", "drift", "bloat", "mix", "busywork", "budget", "silence"]
Line = Literal["", "burn", "soft", "hard"]


class Section(BaseModel):
    """Base of all sections: unknown keys are mistakes, and nothing changes after the start.

    What concerns several keys is checked at the last of them, where the others are good, so that one mistake does not
    hide another.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class KafkaConfig(Section):
    """How Kafka is reached, and which topics are used."""

    bootstrap: str = "127.0.0.1:9092"
    topic_prefix: str = "tidegate."
    group: str = "tidegate"
    partitions: Annotated[int, Field(ge=1)] = 4
    replication: Annotated[int, Field(ge=1)] = 1
    create_topics: bool = True
    idempotence: bool = True
    connect_seconds: Positive = 30.0
    checkpoint_seconds: Positive = 1.0
    session_timeout_seconds: Positive = 30.0
    rebalance_timeout_seconds: Positive = 30.0
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str = ""
    sasl_password: SecretStr = SecretStr("")
    ssl_cafile: str = ""
    ssl_certfile: str = ""
    ssl_keyfile: str = ""

    @field_validator("sasl_username")
    @classmethod
    def _sasl_has_a_user(cls, username: str, others: ValidationInfo) -> str:
        if others.data.get("security_protocol", "").startswith("SASL") and not username:
            raise ValueError("security_protocol asks for SASL, but sasl_username is empty")
        return username


class EventsConfig(Section):
    """What the front door accepts."""

    max_record_bytes: Annotated[int, Field(gt=0)] = 8 << 20
    max_future_seconds: NotNegative = 300.0
    duplicate_span_seconds: Positive = 3600.0
    max_ids: Annotated[int, Field(ge=4096)] = 1_000_000
    default_tenant: str = ""
    hash_key: SecretStr = SecretStr("")


class WindowsConfig(Section):
    """Event time."""

    size_seconds: Positive = 10.0
    lateness_seconds: NotNegative = 5.0
    grace_seconds: NotNegative = 5.0
    max_entities: Annotated[int, Field(ge=10)] = 10_000


class PricingConfig(Section):
    """Dollars per unit of what is not priced by tokens."""

    tool: Annotated[Decimal, Field(ge=0)] | None = None
    vector: Annotated[Decimal, Field(ge=0)] | None = None
    evaluation: Annotated[Decimal, Field(ge=0)] | None = None
    human_review: Annotated[Decimal, Field(ge=0)] | None = None
    saas: Annotated[Decimal, Field(ge=0)] | None = None

    def units(self) -> dict[str, Decimal]:
        """Give the prices that are set."""
        return {name: price for name, price in self if price is not None}


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


class BurstConfig(Section):
    """The burst detector."""

    enabled: bool = True
    half_life_seconds: Positive = 900.0
    warm_up_seconds: Positive = 300.0
    counts: GatesConfig = GatesConfig(deviations=3.7, ratio=3.0, margin=1.2)
    amounts: GatesConfig = GatesConfig(deviations=5.0, ratio=5.0, margin=1.5)
    floors: FloorsConfig = FloorsConfig()
    least_events: Annotated[int, Field(ge=1)] = 20
    large_usd: Positive = 10.0
    clear_windows: Annotated[int, Field(ge=1)] = 12


class RatioConfig(Section):
    """The bloat and mix detectors; the first four are how many times the usual value is still normal."""

    enabled: bool = True
    size: Annotated[float, Field(gt=1)] = 2.0
    price: Annotated[float, Field(gt=1)] = 1.6
    uncached: Annotated[float, Field(gt=1)] = 1.6
    evaluation: Annotated[float, Field(gt=1)] = 2.5
    evidence: Positive = 8.0
    warm_up_slices: Annotated[int, Field(ge=2)] = 10
    half_life_slices: Positive = 720.0
    least_units: Annotated[int, Field(ge=1)] = 3


class SilenceConfig(Section):
    """The silence detector."""

    enabled: bool = True
    expected: Positive = 30.0
    least_windows: Annotated[int, Field(ge=2)] = 3
    warm_up_windows: Annotated[int, Field(ge=2)] = 120
    margin: Annotated[float, Field(ge=1)] = 3.0
    longest_seconds: Positive = 7200.0


class DriftConfig(Section):
    """The drift detector."""

    enabled: bool = True
    slice_seconds: Annotated[float, Field(ge=60, le=3600)] = 1800.0
    ratio: Annotated[float, Field(gt=1)] = 1.6
    share: Annotated[float, Field(gt=1)] = 1.7
    evidence: Positive = 8.0
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
    evidence: Positive = 6.0
    warm_up_outcomes: Annotated[int, Field(ge=1)] = 30
    half_life_seconds: Positive = 43_200.0
    max_series: Annotated[int, Field(ge=10)] = 1_000

    @field_validator("lag_seconds")
    @classmethod
    def _windows_fit_the_memory(cls, lag: float, others: ValidationInfo) -> float:
        size, longest = others.data.get("slice_seconds", 900.0), others.data.get("longest_seconds", 28_800.0)
        if longest < size or longest + lag > 200 * size:
            raise ValueError("longest_seconds must hold a slice_seconds, and with lag_seconds at most 200 of them")
        return lag


class DetectConfig(Section):
    """All detectors that judge."""

    levels: tuple[Level, ...] = ("tenant", "use_case", "agent")
    max_series: Annotated[int, Field(ge=10)] = 5_000
    least_usd_per_hour: NotNegative = 0.25
    burst: BurstConfig = BurstConfig()
    ratio: RatioConfig = RatioConfig()
    drift: DriftConfig = DriftConfig()
    silence: SilenceConfig = SilenceConfig()
    loop: LoopConfig = LoopConfig()
    busywork: BusyworkConfig = BusyworkConfig()


class BurnConfig(Section):
    """A budget burns too fast if both windows use it up at `factor` times the even pace, the long one also `share`."""

    long_seconds: Annotated[float, Field(ge=300, le=86_400)]
    short_seconds: Annotated[float, Field(ge=300, le=7200)]
    factor: Annotated[float, Field(gt=1)]
    share: Annotated[float, Field(gt=0, lt=1)]


# The windows of the Site Reliability Workbook's chapter 5, the slow one made faster for the sake of working weeks.
_BURN = (
    BurnConfig(long_seconds=3600, short_seconds=300, factor=14.4, share=0.02),
    BurnConfig(long_seconds=21_600, short_seconds=1800, factor=6, share=0.05),
    BurnConfig(long_seconds=86_400, short_seconds=7200, factor=3, share=0.1),
)


class BudgetConfig(Section):
    """One budget: what a tenant, or one of its use cases, may use up in a calendar month or quarter (UTC)."""

    tenant: Annotated[str, Field(min_length=1)]
    use_case: str = ""
    metric: Literal["usd", "tokens", "steps", "tool_calls"] = "usd"
    period: PeriodName = "month"
    limit: Annotated[Decimal, Field(gt=0)]
    soft: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.8")
    burn: tuple[BurnConfig, ...] = _BURN


class ReceiverConfig(Section):
    """Where notifications go."""

    name: Annotated[str, Field(min_length=1)]
    type: Literal["console", "slack"]
    channel: str = ""

    @field_validator("channel")
    @classmethod
    def _slack_needs_a_channel(cls, channel: str, others: ValidationInfo) -> str:
        if others.data.get("type") == "slack" and not channel:
            raise ValueError("a receiver of type slack needs a channel")
        return channel


class RouteConfig(Section):
    """One route: the first whose labels all match takes the alert."""

    match: dict[AlertLabel, str] = {}
    receiver: str
    group_by: tuple[AlertLabel, ...] = ("tenant", "kind")
    group_wait_seconds: NotNegative = 2.0
    group_interval_seconds: NotNegative = 60.0
    repeat_interval_seconds: Positive = 14_400.0


class AlertsConfig(Section):
    """Routing of alerts to people."""

    receivers: tuple[ReceiverConfig, ...] = (ReceiverConfig(name="console", type="console"),)
    routes: tuple[RouteConfig, ...] = (RouteConfig(receiver="console"),)
    keep_resolved_seconds: Positive = 3600.0

    @field_validator("receivers")
    @classmethod
    def _names_are_unique(cls, receivers: tuple[ReceiverConfig, ...]) -> tuple[ReceiverConfig, ...]:
        names = [receiver.name for receiver in receivers]
        if len(names) != len(set(names)):
            raise ValueError("two receivers have the same name")
        return receivers

    @field_validator("routes")
    @classmethod
    def _routes_lead_somewhere(cls, routes: tuple[RouteConfig, ...], others: ValidationInfo) -> tuple[RouteConfig, ...]:
        if not routes or routes[-1].match:
            raise ValueError("the last route must match everything (no `match`), so that no alert is lost")
        if "receivers" in others.data:
            known = {receiver.name for receiver in others.data["receivers"]}
            unknown = sorted({route.receiver for route in routes} - known)
            if unknown:
                raise ValueError(f"routes name receivers that do not exist: {', '.join(unknown)}")
        return routes


class SlackConfig(Section):
    """The Slack app; the token may also come from SLACK_BOT_TOKEN."""

    token: SecretStr = SecretStr("")
    base_url: str = "https://slack.com/api/"
    timeout_seconds: Positive = 10.0


class PolicyConfig(Section):
    """Which anomaly leads to which action on which scope."""

    kind: AnomalyKind
    line: Line = ""
    scope: Literal["session", "agent", "use_case", "tenant"] = "agent"
    action: Literal["limit_rate", "cap_steps", "downgrade_model", "block_tool", "pause"]
    mode: Literal["suggest", "enforce"] = "suggest"
    params: dict[str, int | str] = {}
    expires_seconds: Positive = 900.0

    @field_validator("line")
    @classmethod
    def _only_budgets_have_lines(cls, line: Line, others: ValidationInfo) -> Line:
        if line and others.data.get("kind", "budget") != "budget":
            raise ValueError("only a policy for kind budget can name a line")
        return line


class ThrottleConfig(Section):
    """Commands to gateways."""

    enabled: bool = True
    policies: tuple[PolicyConfig, ...] = ()
    hold_seconds: NotNegative = 60.0
    tombstone_seconds: NotNegative = 300.0
    max_live: Annotated[int, Field(ge=1)] = 100


class WebConfig(Section):
    """Health and metrics of the worker."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 6066


class IngestConfig(Section):
    """The HTTP front door."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8088
    max_body_bytes: Annotated[int, Field(gt=0)] = 8 << 20


class LogConfig(Section):
    """Structured logs on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class Config(Section):
    """The whole configuration; every section may be left out."""

    kafka: KafkaConfig = KafkaConfig()
    events: EventsConfig = EventsConfig()
    windows: WindowsConfig = WindowsConfig()
    pricing: PricingConfig = PricingConfig()
    detect: DetectConfig = DetectConfig()
    budgets: tuple[BudgetConfig, ...] = ()
    alerts: AlertsConfig = AlertsConfig()
    slack: SlackConfig = SlackConfig()
    throttle: ThrottleConfig = ThrottleConfig()
    web: WebConfig = WebConfig()
    ingest: IngestConfig = IngestConfig()
    log: LogConfig = LogConfig()

    @field_validator("budgets")
    @classmethod
    def _budgets_are_unique(cls, budgets: tuple[BudgetConfig, ...]) -> tuple[BudgetConfig, ...]:
        about = [(budget.tenant, budget.use_case, budget.metric, budget.period) for budget in budgets]
        if len(about) != len(set(about)):
            raise ValueError("two budgets are for the same tenant, use_case, metric and period")
        return budgets

    @field_validator("slack")
    @classmethod
    def _slack_has_a_token(cls, slack: SlackConfig, others: ValidationInfo) -> SlackConfig:
        alerts = others.data.get("alerts", AlertsConfig())
        if any(receiver.type == "slack" for receiver in alerts.receivers) and not slack.token:
            raise ValueError("a receiver is of type slack, but slack.token (or SLACK_BOT_TOKEN) is empty")
        return slack
