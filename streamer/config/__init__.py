"""The configuration's sections and their defaults; `streamer.settings` reads them from a file and the environment."""

from pydantic import ValidationInfo, field_validator

from streamer.config.alerts import (
    AlertsConfig,
    HoursConfig,
    InhibitConfig,
    OwnersConfig,
    ReceiverConfig,
    RouteConfig,
    StepConfig,
    StormConfig,
)
from streamer.config.base import AlertLabel, AnomalyKind, Level, Line, Section
from streamer.config.budgets import BudgetConfig, BurnConfig
from streamer.config.detect import (
    BurstConfig,
    BusyworkConfig,
    DetectConfig,
    DriftConfig,
    FatigueConfig,
    FloorsConfig,
    GatesConfig,
    LoopConfig,
    RatioConfig,
    SessionsConfig,
    SeverityConfig,
    SilenceConfig,
)
from streamer.config.gateway import GatewayConfig
from streamer.config.ingest import IngestConfig, TokenConfig
from streamer.config.kafka import KafkaConfig
from streamer.config.mapping import NamesConfig
from streamer.config.page import PageConfig, PersonConfig
from streamer.config.pricing import ExchangeRateConfig, PriceConfig, PricingConfig
from streamer.config.service import LogConfig, WebConfig
from streamer.config.showback import ShowbackConfig
from streamer.config.slack import SlackConfig
from streamer.config.throttle import PolicyConfig, ThrottleConfig
from streamer.config.trust import TrustConfig
from streamer.config.usage import EventsConfig, WindowsConfig
from streamer.config.use_cases import UseCaseConfig

__all__ = [
    "AlertLabel",
    "AlertsConfig",
    "AnomalyKind",
    "BudgetConfig",
    "BurnConfig",
    "BurstConfig",
    "BusyworkConfig",
    "Config",
    "DetectConfig",
    "DriftConfig",
    "EventsConfig",
    "ExchangeRateConfig",
    "FatigueConfig",
    "FloorsConfig",
    "GatesConfig",
    "GatewayConfig",
    "HoursConfig",
    "IngestConfig",
    "InhibitConfig",
    "KafkaConfig",
    "Level",
    "Line",
    "LogConfig",
    "LoopConfig",
    "NamesConfig",
    "OwnersConfig",
    "PageConfig",
    "PersonConfig",
    "PolicyConfig",
    "PriceConfig",
    "PricingConfig",
    "RatioConfig",
    "ReceiverConfig",
    "RouteConfig",
    "Section",
    "SessionsConfig",
    "SeverityConfig",
    "ShowbackConfig",
    "SilenceConfig",
    "SlackConfig",
    "StepConfig",
    "StormConfig",
    "ThrottleConfig",
    "TokenConfig",
    "TrustConfig",
    "UseCaseConfig",
    "WebConfig",
    "WindowsConfig",
]


class Config(Section):
    """The whole configuration; every section may be left out."""

    kafka: KafkaConfig = KafkaConfig()
    events: EventsConfig = EventsConfig()
    windows: WindowsConfig = WindowsConfig()
    pricing: PricingConfig = PricingConfig()
    detect: DetectConfig = DetectConfig()
    budgets: tuple[BudgetConfig, ...] = ()
    use_cases: tuple[UseCaseConfig, ...] = ()
    alerts: AlertsConfig = AlertsConfig()
    slack: SlackConfig = SlackConfig()
    throttle: ThrottleConfig = ThrottleConfig()
    trust: TrustConfig = TrustConfig()
    gateway: GatewayConfig = GatewayConfig()
    web: WebConfig = WebConfig()
    ingest: IngestConfig = IngestConfig()
    page: PageConfig = PageConfig()
    log: LogConfig = LogConfig()

    @field_validator("budgets")
    @classmethod
    def _budgets_are_unique(cls, budgets: tuple[BudgetConfig, ...]) -> tuple[BudgetConfig, ...]:
        about = [(budget.tenant, budget.use_case, budget.metric, budget.period) for budget in budgets]
        if len(about) != len(set(about)):
            raise ValueError("two budgets are for the same tenant, use_case, metric and period")
        return budgets

    @field_validator("use_cases")
    @classmethod
    def _use_cases_are_unique(cls, use_cases: tuple[UseCaseConfig, ...]) -> tuple[UseCaseConfig, ...]:
        names = [(use_case.tenant, use_case.name) for use_case in use_cases]
        if len(names) != len(set(names)):
            raise ValueError("two entries are about the same use case of the same tenant")
        return use_cases

    @field_validator("slack")
    @classmethod
    def _slack_has_a_token(cls, slack: SlackConfig, others: ValidationInfo) -> SlackConfig:
        alerts = others.data.get("alerts", AlertsConfig())
        if any(receiver.type == "slack" for receiver in alerts.receivers) and not slack.token:
            raise ValueError("a receiver is of type slack, but slack.token (or SLACK_BOT_TOKEN) is empty")
        return slack
