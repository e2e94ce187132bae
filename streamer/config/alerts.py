"""Who is told of anomalies, and where."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from streamer.config.base import AlertLabel, NotNegative, Positive, Section
from streamer.config.showback import ShowbackConfig


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

    match: dict[AlertLabel, str] = Field(default_factory=dict)
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
    showback: tuple[ShowbackConfig, ...] = ()

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

    @field_validator("showback")
    @classmethod
    def _showback_reaches_people(
        cls, showback: tuple[ShowbackConfig, ...], others: ValidationInfo
    ) -> tuple[ShowbackConfig, ...]:
        names = [one.name for one in showback]
        if len(names) != len(set(names)):
            raise ValueError("two showbacks are the same")
        if "receivers" in others.data:
            known = {one.name for one in others.data["receivers"] if one.type in ("slack", "console")}
            unknown = sorted({one.receiver for one in showback} - known)
            if unknown:
                raise ValueError(f"showback names what is no receiver of type slack or console: {', '.join(unknown)}")
        return showback
