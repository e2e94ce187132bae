"""Builds what routes alerts to people from its configuration: the tree, owners, hours, inhibition, storms."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from alerts.dispatcher import Dispatcher
from alerts.hours import Hours
from alerts.inhibit import InhibitRule
from alerts.owners import OwnerRule, Owners
from alerts.routes import Route, Step
from alerts.storm import StormRule
from streamer.config.alerts import TOP, AlertsConfig, Day, HoursConfig, RouteConfig
from streamer.owners import read_owners

_DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# What a route takes from the one above where it does not say it itself.
_INHERITED = tuple(name for name in RouteConfig.model_fields if name not in ("match", "goes_on", "routes"))


def dispatcher_of(config: AlertsConfig) -> Dispatcher:
    """Build the dispatcher; raises ConfigInvalid for an owners' file that cannot be used."""
    storm = config.storm
    return Dispatcher(
        routes_of(config),
        config.keep_resolved_seconds,
        owners=owners_of(config),
        inhibit=[InhibitRule(source=rule.source, target=rule.target, equal=rule.equal) for rule in config.inhibit],
        linger=config.inhibit_linger_seconds,
        storm=StormRule(
            tenants=storm.tenants,
            incidents=storm.incidents,
            window=storm.window_seconds,
            patience=storm.patience_seconds,
        ),
    )


def owners_of(config: AlertsConfig) -> Owners:
    """Build the owners; raises ConfigInvalid for a file that cannot be used."""
    return Owners(rules_of(config), config.owners.default, config.owners.tag)


def rules_of(config: AlertsConfig) -> Sequence[OwnerRule]:
    """Read the rules of the owners' file, if there is one; raises ConfigInvalid."""
    return read_owners(Path(config.owners.file)) if config.owners.file else ()


def routes_of(config: AlertsConfig) -> list[Route]:
    """Build the tree, in which every route says all itself."""
    hours = {one.name: _hours(one) for one in config.hours}
    return [_route(route, TOP, hours) for route in config.routes]


def _route(config: RouteConfig, above: RouteConfig, hours: Mapping[str, Hours]) -> Route:
    own = {name: getattr(config, name) for name in _INHERITED if getattr(config, name) not in (None, "")}
    known = above.model_copy(update=own)
    return Route(
        receiver=known.receiver,
        match=config.match,
        group_by=known.group_by or (),
        group_wait=known.group_wait_seconds or 0.0,
        group_interval=known.group_interval_seconds or 0.0,
        repeat_interval=known.repeat_interval_seconds or 0.0,
        go_on=config.goes_on,
        escalate=tuple(Step(step.after_seconds, step.receiver) for step in known.escalate or ()),
        hours=tuple(hours[name] for name in known.hours or ()),
        quiet=tuple(hours[name] for name in known.quiet_hours or ()),
        always=known.always or "critical",
        routes=tuple(_route(one, known, hours) for one in config.routes),
    )


def _hours(config: HoursConfig) -> Hours:
    days = tuple(_DAYS.index(day) for day in config.days)
    return Hours(name=config.name, zone=config.zone, days=days, start=_minute(config.start), end=_minute(config.end))


def _minute(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])
