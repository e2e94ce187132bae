"""An incident in words: the few lines that every receiver shows."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from urllib.parse import unquote

from alerts.alert import Alert, Cause, Label
from alerts.incident import Incident

_WHAT = {
    "burst": "spends far above its usual rate",
    "loop": "runs in a loop",
    "drift": "slowly uses more and more",
    "bloat": "sends requests that grow",
    "mix": "pays more for the same work",
    "busywork": "burns tokens with too few outcomes",
    "budget": "uses up its budget",
    "silence": "has gone silent",
}
# Of a burst, by its metric.
_MORE = {
    "usd": "spends {} times the usual",
    "requests": "sends {} times the usual requests",
    "sessions": "begins {} times the usual sessions",
    "tokens": "uses {} times the usual tokens",
    "steps": "takes {} times the usual steps",
    "tool_calls": "makes {} times the usual tool calls",
}
_LINES = {
    "burn": "burns its budget too fast",
    "soft": "has used {:.0%} of its budget",
    "hard": "is over its budget, {:.0%} used",
}
_SIGNS = {"info": "🔵", "warning": "🟠", "critical": "🔴"}
#: The six kinds of cost, as people call them.
COSTS = {
    "llm": "LLM",
    "tool": "tools",
    "vector": "vector search",
    "evaluation": "evaluation",
    "human_review": "human review",
    "saas": "SaaS",
}
_PARTS: tuple[Label, ...] = ("session", "tool", "model")
# How commands spell the scope that they bind; of names with spaces, what follows in a note says where they end.
_SCOPE = re.compile(
    r"\btenant=[^/=]+?(?:/(?:use_case|agent|session)=[^/=]+?)*(?= (?:until|at) \d\d:\d\d:\d\d UTC)"
    r"|\btenant=[^ /]+(?:/(?:use_case|agent|session)=[^ /]+)*"
)
# Detectors end their reason with its causes, for those who see nothing else.
_SPELLED = re.compile(r" \(\d+% [^()]*\)$")


def headline(incident: Incident) -> str:
    """Say who does what, in one line."""
    if incident.state == "resolved":
        about = _storm(incident) if incident.tenant_count > 1 else who(incident.main)
        return f"🟢 {about} is back to normal"
    if incident.tenant_count > 1:
        return f"{_SIGNS[incident.severity]} {_storm(incident)}, led by {who(incident.main)}"
    labels = incident.main.labels
    kind = labels.get("kind", "")
    what = _line_of(incident.main) or _times(incident.main) or _WHAT.get(kind, f"shows a {kind}")
    return f"{_SIGNS[incident.severity]} {who(incident.main)} {what}"


def used(alert: Alert) -> str:
    """Say how much of a budget is used, in its unit; empty for what is no budget."""
    if alert.labels.get("kind") != "budget" or alert.expected <= 0:
        return ""
    sign = "$" if "#budget-usd" in alert.series else ""
    # Of a few dollars the cents count.
    digits = 2 if sign and alert.expected < 100 and (alert.observed % 1 or alert.expected % 1) else 0
    return f"{sign}{alert.observed:,.{digits}f} of {sign}{alert.expected:,.{digits}f}"


def _line_of(alert: Alert) -> str:
    line = _LINES.get(alert.labels.get("line", ""), "")
    return line.format(alert.observed / alert.expected if alert.expected > 0 else 1)


def _times(alert: Alert) -> str:
    """Say of a burst how many times the usual it is, where that is known and tells more."""
    what = _MORE.get(alert.series.rpartition("#")[2], "")
    if alert.labels.get("kind") != "burst" or not what or alert.expected <= 0:
        return ""
    times = alert.observed / alert.expected
    return what.format(f"{times:,.0f}") if 2 <= times < 1000 else ""


def who(alert: Alert) -> str:
    """Name the narrowest holder of the spend, with its tenant: `acme · support · triage`."""
    return " · ".join(plain(alert.labels[name]) for name in ("tenant", "use_case", "agent") if name in alert.labels)


def money(amount: Decimal) -> str:
    """Write dollars for people: cents below 1,000 dollars, fractions of a cent below one."""
    digits = 2 if abs(amount) >= Decimal("0.01") or not amount else 4
    return f"{'-' if amount < 0 else ''}${abs(amount):,.{digits}f}"


def short_money(amount: Decimal) -> str:
    """Write dollars for a glance.

    >>> short_money(Decimal("362.46")), short_money(Decimal("8.4")), short_money(Decimal("47019"))
    ('$362', '$8.40', '$47,019')
    """
    return f"{'-' if amount < 0 else ''}${abs(amount):,.0f}" if abs(amount) >= 100 else money(amount)


def cost(incident: Incident) -> str:
    """Say what it has cost and goes on costing."""
    so_far = f"{money(incident.usd_excess)} above normal"
    if incident.state == "resolved":
        return f"{so_far} in all"
    return f"{so_far} so far, {money(incident.usd_per_hour)} an hour if nobody acts"


def span(incident: Incident) -> str:
    """Say since when, or from when to when (UTC)."""
    since = f"since {_clock(incident.opened_at)}"
    return f"{since} until {_clock(incident.resolved_at)} UTC" if incident.resolved_at else f"{since} UTC"


def lasted(incident: Incident) -> str:
    """Say how long it has gone on, or went on.

    >>> from datetime import UTC
    >>> at = datetime(2026, 11, 22, tzinfo=UTC)
    >>> lasted(Incident(id="1", receiver="r", group={}, opened_at=at, updated_at=at.replace(minute=7)))
    '7 min'
    """
    seconds = ((incident.resolved_at or incident.updated_at) - incident.opened_at).total_seconds()
    return duration(seconds)


def duration(seconds: float) -> str:
    """Write a length of time for people.

    >>> duration(42), duration(420), duration(7320), duration(200_000)
    ('42 s', '7 min', '2 h 2 min', '2 d 7 h')
    """
    whole = max(0, int(seconds))
    days, hours, minutes = whole // 86_400, whole % 86_400 // 3600, whole % 3600 // 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{whole} s"


def reasons(incident: Incident, most: int = 5) -> list[str]:
    """List why, the weightiest first, each once."""
    alerts = sorted(incident.alerts.values(), key=lambda alert: (-alert.usd_excess, alert.id))
    found = list(dict.fromkeys(f"{who(alert)}: {plain(alert.reason)}" for alert in alerts))
    more = len(found) - most
    return found[:most] + ([f"and {more} more"] if more > 0 else [])


def bare(alert: Alert) -> str:
    """Give the reason of an alert without the causes at its end, where they are told by themselves."""
    return plain(_SPELLED.sub("", alert.reason) if alert.causes else alert.reason)


def ranked(incident: Incident, most: int = 5) -> list[Cause]:
    """List what is behind it: the causes of the alert that says most, else of whichever names any."""
    alerts = sorted(incident.alerts.values(), key=lambda alert: (-alert.usd_excess, alert.id))
    for alert in (incident.main, *alerts):
        if alert.causes:
            return sorted(alert.causes, key=lambda cause: -cause.share)[:most]
    return []


def cause_line(cause: Cause) -> str:
    """Say one cause.

    >>> cause_line(Cause("use_case", "support", 0.916))
    '92% use case support'
    """
    return f"{cause.share:.0%} {cause.level.replace('_', ' ')} {plain(cause.name)}"


def shares(split: Mapping[str, Decimal]) -> str:
    """Say which of the six kinds of cost make up a sum, the largest first; empty where nothing costs anything.

    >>> shares({"llm": Decimal("6"), "tool": Decimal("3"), "saas": Decimal("1"), "vector": Decimal(0)})
    'LLM 60% · tools 30% · SaaS 10%'
    """
    whole = sum((amount for amount in split.values() if amount > 0), Decimal(0))
    ordered = sorted((kind for kind in split if split[kind] > 0), key=lambda kind: (-split[kind], kind))
    return " · ".join(f"{COSTS[kind]} {_percent(split[kind] / whole)}" for kind in ordered)


def place(alert: Alert) -> str:
    """Name what of the holder it is about, where it is something: `session s-20418 · tool search`."""
    return " · ".join(f"{name} {plain(alert.labels[name])}" for name in _PARTS if name in alert.labels)


def stands_in(incident: Incident, most: int = 6) -> str:
    """Name the owners whom an incident tells of what is theirs in a storm; empty where there are none.

    >>> at = datetime(2026, 11, 22)
    >>> stands_in(Incident(id="1", receiver="r", group={}, opened_at=at, updated_at=at, owners=["a", "b", "c"]), 2)
    '3 owners are told here first: a, b and 1 more; they hear of it themselves if it goes on'
    """
    if not incident.owners:
        return ""
    named, more = ", ".join(map(plain, incident.owners[:most])), len(incident.owners) - most
    count = f"{len(incident.owners)} owners are" if len(incident.owners) > 1 else "1 owner is"
    rest = f" and {more} more" if more > 0 else ""
    return f"{count} told here first: {named}{rest}; they hear of it themselves if it goes on"


def history(incident: Incident, most: int = 5) -> list[str]:
    """List what was done about it, the latest last."""
    return [plain(note) for note in incident.notes[-most:]]


def readable(note: str) -> str:
    """Show a note with the scopes in it as people call them.

    >>> readable("released tenant=acme/use_case=a%2Fb/session=s1 at 10:00:00 UTC")
    'released acme · a/b · session s1 at 10:00:00 UTC'
    """
    return plain(_SCOPE.sub(_named, note))


def _named(scope: re.Match[str]) -> str:
    parts = (part.partition("=") for part in scope[0].split("/"))
    return " · ".join(f"session {unquote(name)}" if level == "session" else unquote(name) for level, _, name in parts)


def plain(text: str) -> str:
    """Show what cannot be printed (line breaks, terminal escapes, marks of direction) as a sign of its own.

    Names come from outside, and must not forge a line of a message.

    >>> plain("acme\\n🔴 other")
    'acme�🔴 other'
    """
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def _storm(incident: Incident) -> str:
    return f"{incident.alert_count:,} alerts in {incident.tenant_count:,} tenants"


def _percent(share: Decimal) -> str:
    return f"{share:.0%}" if share >= Decimal("0.01") else "<1%"


def _clock(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")
