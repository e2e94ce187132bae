"""The demo's configuration: quick windows, and everything on loopback."""

import os
from decimal import Decimal

from streamer.config import (
    AlertsConfig,
    BudgetConfig,
    BurstConfig,
    Config,
    DetectConfig,
    FloorsConfig,
    IngestConfig,
    KafkaConfig,
    LogConfig,
    LoopConfig,
    PageConfig,
    PolicyConfig,
    PriceConfig,
    PricingConfig,
    ReceiverConfig,
    RouteConfig,
    SlackConfig,
    ThrottleConfig,
    WebConfig,
    WindowsConfig,
)
from streamer.demo.story import LOOPER
from streamer.pricing.money import CostKind


def demo_config(bootstrap: str, ingest_port: int, web_port: int, page_port: int) -> Config:
    """Give the configuration; Slack joins in where SLACK_BOT_TOKEN and SLACK_CHANNEL are set."""
    token, channel = os.environ.get("SLACK_BOT_TOKEN", ""), os.environ.get("SLACK_CHANNEL", "")
    receiver = ReceiverConfig(name="owner", type="console")
    if token and channel:
        receiver = ReceiverConfig(name="owner", type="slack", channel=channel)
    route = RouteConfig(receiver="owner", group_wait_seconds=0.5, group_interval_seconds=3)
    return Config(
        # The embedded broker knows no idempotent producers, and a join takes half the rebalance timeout there.
        kafka=KafkaConfig(
            bootstrap=bootstrap,
            partitions=2,
            idempotence=False,
            session_timeout_seconds=6,
            rebalance_timeout_seconds=4,
            checkpoint_seconds=0.5,
        ),
        windows=WindowsConfig(size_seconds=2, lateness_seconds=0.5, grace_seconds=0.5),
        pricing=_pricing(),
        detect=DetectConfig(levels=("tenant",), burst=_burst(), loop=LoopConfig(quiet_seconds=6)),
        budgets=(BudgetConfig(tenant=LOOPER, limit=Decimal(2000)),),
        alerts=AlertsConfig(receivers=(receiver,), routes=(route,)),
        slack=_slack(token),
        throttle=_throttle(),
        web=WebConfig(port=web_port),
        ingest=IngestConfig(port=ingest_port),
        page=PageConfig(
            port=page_port, public_url=f"http://127.0.0.1:{page_port}", history_seconds=360, rate_seconds=10
        ),
        log=LogConfig(level="warning"),
    )


def _pricing() -> PricingConfig:
    each: dict[CostKind, str] = {"tool": "0.002", "vector": "0.0004", "evaluation": "0.001"}
    return PricingConfig(prices=tuple(PriceConfig(kind=kind, each=Decimal(usd)) for kind, usd in each.items()))


def _burst() -> BurstConfig:
    # Floors well above what ten seconds of warm-up can mistake for normal: the demo has no hours to learn from.
    floors = FloorsConfig(tokens=500_000, steps=60, tool_calls=60, requests=60, usd=2.0)
    return BurstConfig(warm_up_seconds=20, half_life_seconds=120, floors=floors)


def _throttle() -> ThrottleConfig:
    pause = PolicyConfig(kind="loop", scope="session", action="pause", mode="enforce", expires_seconds=120)
    limit = PolicyConfig(
        kind="burst",
        scope="tenant",
        action="limit_rate",
        mode="enforce",
        params={"requests_per_minute": 300},
        expires_seconds=120,
    )
    return ThrottleConfig(policies=(pause, limit), hold_seconds=14, tombstone_seconds=30)


def _slack(token: str) -> SlackConfig:
    return SlackConfig.model_validate({"token": token})
