"""Says where an alert would go and why: its owner, its way through the tree, its group, when, what holds it back."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from alerts.alert import Alert, Label, Severity
from alerts.decide import Decision, Held
from alerts.dispatcher import Dispatcher
from alerts.incident import Incident
from alerts.match import spelled
from alerts.routes import Route
from alerts.silences import Silence
from streamer.clock import utc
from streamer.config import Config
from streamer.records import Anomaly
from streamer.routing import dispatcher_of
from streamer.wiring import alert_of

_FOREVER = float("inf")
Labels = Mapping[Label, str]


class Explainer:
    """A dispatcher of its own, in which the alerts asked about go on as they would live.

    `firing` are the labels of alerts that go on already, `silenced` those that are muted.
    """

    def __init__(
        self, config: Config, now: float, firing: Iterable[Labels] = (), silenced: Iterable[Labels] = ()
    ) -> None:
        self._dispatcher: Dispatcher = dispatcher_of(config.alerts)
        for number, labels in enumerate(firing):
            self._dispatcher.submit(alert_with(f"firing-{number}", labels, utc(now)), now)
        for labels in silenced:
            self._dispatcher.silence(Silence(match=dict(labels), until=_FOREVER, by="the command line", at=utc(now)))

    def explain(self, alert: Alert, now: float) -> Iterator[str]:
        """Take in an alert at `now` (epoch seconds), and say in lines what comes of it."""
        for notification in list(self._dispatcher.pending(now)):
            self._dispatcher.delivered(notification, "explained", now)
        self._dispatcher.submit(alert, now)
        yield spelled(alert.labels)
        yield f"  owner {self._owner(alert.labels)}"
        for incident in self._dispatcher.holding(alert.id):
            yield from self._way(incident, now)

    def _owner(self, labels: Labels) -> str:
        owners = self._dispatcher.owners
        known, rule = owners.labels_of(labels), owners.rule_for(labels)
        owner = owners.find(known.get("owner", ""))
        reached = ", ".join(part for part in (owner.channel, owner.email) if part) if owner else ""
        tags = spelled({name: value for name, value in known.items() if name != "owner"})
        parts = [rule.origin if rule else "by default", reached, tags]
        return f"{known.get('owner', 'nobody')} ({'; '.join(part for part in parts if part)})"

    def _way(self, incident: Incident, now: float) -> Iterator[str]:
        route = self._dispatcher.explain(incident, now)[2]
        at = max(now, incident.noted_at + route.group_wait)
        decision, held, _ = self._dispatcher.explain(incident, at)
        trail = " > ".join(_step(leaf.path, leaf.route) for leaf in self._dispatcher.tree.trail(incident.route))
        yield f"  route {trail}"
        yield f"    to {incident.receiver}, {_group(incident)}"
        yield f"    {_times(route)}"
        yield f"    {_verdict(decision, held, at)}"
        for step in route.escalate:
            yield f"    to {step.receiver}, too, when nobody has acknowledged it {_span(step.after)} after it was told"


def alert_with(name: str, labels: Labels, at: datetime) -> Alert:
    """Make an alert of labels alone, opened at a moment."""
    severity = msgspec.convert(labels.get("severity", "warning"), Severity)
    return Alert(
        id=name,
        state="opened",
        severity=severity,
        labels={**labels, "severity": severity},
        detector="",
        opened_at=at,
        updated_at=at,
        observed=0,
        expected=0,
        usd_excess=Decimal(0),
        usd_per_hour=Decimal(0),
        reason="asked about",
    )


def alerts_in(lines: Iterable[bytes]) -> Iterator[tuple[float, Alert]]:
    """Read anomalies, as a replay writes them or the topic holds them: when each comes (epoch seconds), and its alert.

    Raises msgspec.DecodeError for a line that is no anomaly.
    """
    found = []
    for line in lines:
        fields = msgspec.json.decode(line)
        if not isinstance(fields, dict):
            raise msgspec.ValidationError("an anomaly must be a JSON object")
        anomaly = msgspec.convert({"updated_at": fields.get("opened_at"), **fields}, Anomaly, strict=False)
        found.append(anomaly)
        if anomaly.closed_at is not None and anomaly.state != "closed":
            found.append(msgspec.structs.replace(anomaly, state="closed", updated_at=anomaly.closed_at))
    found.sort(key=lambda anomaly: anomaly.updated_at)
    return ((anomaly.updated_at.timestamp(), alert_of(anomaly)) for anomaly in found)


def _step(path: str, route: Route) -> str:
    return f"{path} {{{spelled(route.match)}}}" + (", continues" if route.go_on else "")


def _group(incident: Incident) -> str:
    group = f"group {spelled(incident.group) or 'of everything'}"
    if incident.storm:
        group += f", a storm of {incident.alert_count} alerts in {incident.tenant_count} tenants"
    return f"incident {incident.id} ({group})"


def _times(route: Route) -> str:
    words = f"told after {_span(route.group_wait)}, changes every {_span(route.group_interval)}"
    words += f", again after {_span(route.repeat_interval)}"
    if names := [hours.name for hours in route.hours]:
        words += f"; only in the hours {', '.join(names)}"
    if names := [hours.name for hours in route.quiet]:
        words += f"; not in the hours {', '.join(names)}"
    return words + (f", but at any time what is {route.always}" if route.hours or route.quiet else "")


def _verdict(decision: Decision, held: Held, at: float) -> str:
    when = f"at {utc(at):%Y-%m-%d %H:%M:%S} UTC"
    until = "" if decision.again_at == _FOREVER else f" until {utc(decision.again_at):%Y-%m-%d %H:%M:%S} UTC"
    if decision.notifies:
        return f"{when}: told, because {decision.reason}"
    by = f" by {held.inhibited_by}" if decision.reason == "inhibited" else ""
    by = f": incident {held.told_by} tells of it" if decision.reason == "storm" else by
    by = f" by {held.silence.by}" if held.silence else by
    return f"{when}: not told, because {decision.reason}{by}{until}"


def _span(seconds: float) -> str:
    """Write a time for people.

    >>> _span(2.0), _span(60.0), _span(5400.0), _span(14_400.0)
    ('2 s', '1 min', '90 min', '4 h')
    """
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
