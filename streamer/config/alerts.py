"""Who is told of anomalies, where, and when."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, SecretStr, ValidationInfo, field_validator, model_validator

from streamer.config.base import AlertLabel, NotNegative, Positive, Section
from streamer.config.showback import ShowbackConfig

Severity = Literal["info", "warning", "critical"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
EndOfDay = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")]
Match = dict[AlertLabel, str | tuple[str, ...]]
# What a receiver of a type cannot do without.
_NEEDED = {"slack": "channel", "webhook": "url", "pagerduty": "routing_key"}


class ReceiverConfig(Section):
    """Where notifications go."""

    name: Annotated[str, Field(min_length=1)]
    type: Literal["console", "slack", "webhook", "pagerduty"]
    channel: str = ""
    to_owner: bool = False
    url: str = ""
    secret: SecretStr = SecretStr("")
    routing_key: SecretStr = SecretStr("")
    timeout_seconds: Positive = 10.0

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if url and not url.startswith(("https://", "http://")):
            raise ValueError("must begin with https:// or http://")
        return url

    @model_validator(mode="after")
    def _has_what_its_type_needs(self) -> "ReceiverConfig":
        needed = _NEEDED.get(self.type)
        if needed and not getattr(self, needed):
            raise ValueError(f"a receiver of type {self.type} needs a {needed}")
        if self.to_owner and self.type != "slack":
            raise ValueError("only a receiver of type slack can go to_owner")
        return self


class HoursConfig(Section):
    """Hours of the week, by name; where `to` is not after `from`, it lies on the next day."""

    # `from` is a word of Python's own.
    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    name: Annotated[str, Field(min_length=1)]
    zone: str = "UTC"
    days: Annotated[tuple[Day, ...], Field(min_length=1)] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    start: Annotated[Clock, Field(alias="from")] = "00:00"
    end: Annotated[EndOfDay, Field(alias="to")] = "24:00"

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (OSError, ValueError, LookupError):
            raise ValueError(f"there is no time zone {zone!r}; one is Europe/Berlin") from None
        return zone


class StepConfig(Section):
    """Whom to tell, where nobody acknowledged."""

    after_seconds: Positive
    receiver: str


class RouteConfig(Section):
    """One route: the first that matches takes the alert; what is left out is as it is in the route above."""

    # `continue` is a word of Python's own.
    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    match: Match = Field(default_factory=dict)
    receiver: str = ""
    group_by: tuple[AlertLabel, ...] | None = None
    group_wait_seconds: NotNegative | None = None
    group_interval_seconds: NotNegative | None = None
    repeat_interval_seconds: Positive | None = None
    hours: tuple[str, ...] | None = None
    quiet_hours: tuple[str, ...] | None = None
    always: Severity | None = None
    goes_on: Annotated[bool, Field(alias="continue")] = False
    escalate: tuple[StepConfig, ...] | None = None
    routes: tuple["RouteConfig", ...] = ()

    def walk(self) -> "Iterator[RouteConfig]":
        """Give this route and all below it."""
        yield self
        for route in self.routes:
            yield from route.walk()


#: The one route of a deployment that has not configured any, and what routes at the top do not say themselves.
TOP = RouteConfig(
    receiver="console",
    group_by=("owner", "tenant", "kind"),
    group_wait_seconds=2.0,
    group_interval_seconds=60.0,
    repeat_interval_seconds=14_400.0,
    hours=(),
    quiet_hours=(),
    always="critical",
    escalate=(),
)


class OwnersConfig(Section):
    """Who answers for what is spent."""

    file: str = ""
    tag: str = ""
    default: Annotated[str, Field(min_length=1)] = "finops"


class StormConfig(Section):
    """When alerts that begin together are one message."""

    tenants: Annotated[int, Field(ge=2)] = 3
    incidents: Annotated[int, Field(ge=1)] = 9
    window_seconds: Positive = 60.0
    patience_seconds: Positive = 900.0


class InhibitConfig(Section):
    """Which alerts silence which others."""

    source: Match
    target: Match = Field(default_factory=dict)
    equal: tuple[AlertLabel, ...] = ("tenant",)


class AlertsConfig(Section):
    """Routing of alerts to people."""

    receivers: tuple[ReceiverConfig, ...] = (ReceiverConfig(name="console", type="console"),)
    hours: tuple[HoursConfig, ...] = ()
    routes: tuple[RouteConfig, ...] = (TOP,)
    fallback: str = ""
    dead_after_seconds: Positive = 300.0
    keep_resolved_seconds: Positive = 3600.0
    mute_seconds: Positive = 3600.0
    inhibit_linger_seconds: NotNegative = 60.0
    inhibit: tuple[InhibitConfig, ...] = (
        InhibitConfig(
            source=dict.fromkeys(("use_case", "agent", "model", "session", "tool"), ""), equal=("tenant", "kind")
        ),
        InhibitConfig(
            source={"kind": "budget", "line": "hard"}, target={"line": ("soft", "burn")}, equal=("tenant", "use_case")
        ),
    )
    owners: OwnersConfig = OwnersConfig()
    storm: StormConfig = StormConfig()
    showback: tuple[ShowbackConfig, ...] = ()

    @field_validator("receivers", "hours")
    @classmethod
    def _names_are_unique(cls, named: tuple[ReceiverConfig, ...]) -> tuple[ReceiverConfig, ...]:
        names = [one.name for one in named]
        if len(names) != len(set(names)):
            raise ValueError("two of them have the same name")
        return named

    @field_validator("routes")
    @classmethod
    def _routes_lead_somewhere(cls, routes: tuple[RouteConfig, ...], others: ValidationInfo) -> tuple[RouteConfig, ...]:
        if not routes or routes[-1].match:
            raise ValueError("the last route must match everything (no `match`), so that no alert is lost")
        if any(not route.receiver for route in routes):
            raise ValueError("a route at the top must name its receiver")
        every = [one for route in routes for one in route.walk()]
        receivers = [name for one in every for name in (one.receiver, *(step.receiver for step in one.escalate or ()))]
        _check("routes name receivers that do not exist", receivers, others, "receivers")
        hours = [name for one in every for name in (*(one.hours or ()), *(one.quiet_hours or ()))]
        _check("routes name hours that do not exist", hours, others, "hours")
        return routes

    @field_validator("fallback")
    @classmethod
    def _fallback_exists(cls, fallback: str, others: ValidationInfo) -> str:
        _check("the fallback is a receiver that does not exist", [fallback], others, "receivers")
        return fallback

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


def _check(mistake: str, names: Iterable[str], others: ValidationInfo, section: str) -> None:
    """Make sure that names are known, where what they name is good itself."""
    if section in others.data:
        unknown = sorted(set(names) - {one.name for one in others.data[section]} - {""})
        if unknown:
            raise ValueError(f"{mistake}: {', '.join(unknown)}")
