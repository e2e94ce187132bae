"""An incident as a Slack message in Block Kit: who, what, since when, how many dollars, who is behind it, and why."""

from collections.abc import Iterator

from alerts.history import History
from alerts.incident import Incident
from alerts.notification import Notification
from alerts.slack.answers import ACTIONS, UNTIL
from alerts.slack.blocks import (
    TEXT,
    Block,
    Blocks,
    actions,
    button,
    choice,
    clip,
    context,
    date,
    escape,
    header,
    picture,
    section,
)
from alerts.text import (
    bare,
    cause_line,
    cost,
    headline,
    lasted,
    money,
    place,
    plain,
    ranked,
    readable,
    shares,
    short_money,
    stands_in,
    used,
    who,
)
from alerts.undelivered import KIND as DEAD_RECEIVER

_BAR, _MOST_NOTES = 10, 5
# A name or a reason longer than this tells nobody more.
_LONGEST_LINE = 300
_SPANS = (("1h", "1 hour"), ("4h", "4 hours"), ("1d", "1 day"), ("7d", "1 week"), (UNTIL, "Until …"))


def message(
    notification: Notification, past: History | None = None, file: str = "", *, buttons: bool = True, link: str = ""
) -> tuple[str, Blocks]:
    """Give the fallback text and the blocks.

    `past` tells of the kinds of cost, `file` is the uploaded picture; without `buttons` nobody can answer. `link` leads
    to the incident's page. The notice of a dead receiver has neither: it is no incident that anybody keeps.
    """
    incident = notification.incident
    if incident.kind == DEAD_RECEIVER:
        buttons, link = False, ""
    blocks = [header(_title(incident)), section(_facts(incident)), section(_why(incident))]
    if others := stands_in(incident):
        blocks.append(section(f"*Storm*  {escape(others)}"))
    if causes := _behind(incident, past):
        blocks.append(section(causes))
    if file:
        blocks.append(picture(file, f"{headline(incident)}: how it went"))
    if done := [note for note in incident.notes[-_MOST_NOTES:] if note != incident.word]:
        blocks.append(section("\n".join(f"↳ {_line(readable(note))}" for note in done)))
    if buttons and incident.state == "open":
        blocks.append(_buttons(incident))
    name = f"incident {escape(incident.id)}"
    owner = f"owner {_line(incident.owner)} · " if incident.owner else ""
    told = f"told because {notification.because}"
    blocks.append(context(f"{incident.severity} · {owner}{told} · {f'<{link}|{name}>' if link else name}"))
    return clip(escape(f"{_title(incident)} ({cost(incident)})"), TEXT), blocks


def reply(incident: Incident, news: list[str]) -> str:
    """Give what is said in the incident's thread: how it stands, and what was done since the last word."""
    stands = f"{_line(headline(incident))}: {escape(cost(incident))}, {lasted(incident)}"
    return clip("\n".join([*(f"↳ {_line(readable(note))}" for note in news), stands]), TEXT)


def _title(incident: Incident) -> str:
    if incident.state == "resolved":
        return f"{headline(incident)} · {short_money(incident.usd_excess)} in all"
    if incident.usd_per_hour > 0 and not used(incident.main):
        return f"{headline(incident)} · {short_money(incident.usd_per_hour)} an hour"
    return headline(incident)


def _facts(incident: Incident) -> str:
    """Say what it has cost, what it goes on costing, and since when; the largest number first."""
    since = f"since {date(incident.opened_at)}"
    if incident.resolved_at:
        span = f"{since} until {date(incident.resolved_at)} · {lasted(incident)}"
        return f"*{money(incident.usd_excess)} extra* in all\n{span}{_word(incident)}"
    so_long = lasted(incident) if incident.updated_at > incident.opened_at else "just now"
    return f"{' · '.join(_cost(incident))}\n{since} · {so_long}{_word(incident)}"


def _cost(incident: Incident) -> Iterator[str]:
    """Say what a budget has left and what there was above normal, and what it goes on costing."""
    budget = used(incident.main)
    if budget:
        yield f"*{budget}* used"
    if incident.usd_excess > 0 or not budget:
        yield f"*{money(incident.usd_excess)} extra* so far"
    if incident.usd_per_hour > 0:
        yield f"*{money(incident.usd_per_hour)} an hour* {'now' if budget else 'if nobody acts'}"


def _word(incident: Incident) -> str:
    """Say who has answered last: whoever reads on knows at once whether somebody cares."""
    return f"\n✓ *{_line(readable(incident.word))}*" if incident.word else ""


def _why(incident: Incident, most: int = 4) -> str:
    """Say why: one reason by itself, several each with whom it is about."""
    alerts = sorted(incident.alerts.values(), key=lambda alert: (-alert.usd_excess, alert.id))
    if len(alerts) == 1:
        where = place(alerts[0])
        return f"*Why*  {_line(bare(alerts[0]) or '-')}" + (f"\n*Where*  {_line(where)}" if where else "")
    whose: dict[str, list[str]] = {}
    for alert in alerts:
        named = whose.setdefault(_line(bare(alert)), [])
        named += [name for name in [_line(who(alert))] if name not in named]
    lines = [_of(reason, names) for reason, names in whose.items()]
    more = [f"and {len(lines) - most} more"] if len(lines) > most else []
    return "\n".join(["*Why*", *lines[:most], *more])


def _of(reason: str, names: list[str], most: int = 4) -> str:
    """Say once what is alike of several."""
    if len(names) == 1:
        return f"• {names[0]}: {reason}"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"• {reason}: {', '.join(names[:most])}{more}"


def _behind(incident: Incident, past: History | None) -> str:
    causes = [f"`{_bar(cause.share)}` {_line(cause_line(cause))}" for cause in ranked(incident)]
    split = shares(past.split) if past else ""
    kinds = [f"*Kinds of cost*  {escape(split)}"] if split else []
    return "\n".join([*(["*Behind it*"] if causes else []), *causes, *kinds])


def _bar(share: float) -> str:
    full = min(_BAR, max(0, round(share * _BAR)))
    return "█" * full + "░" * (_BAR - full)


def _buttons(incident: Incident) -> Block:
    """Make the row of answers; it is another row with each revision, so that one press is one answer."""
    held = bool(incident.commands)
    whom = clip(who(incident.main), 150)
    gate = (
        button(ACTIONS["release"], "Release", ask=("Release?", f"Gateways let {whom} go at once."))
        if held
        else button(ACTIONS["throttle"], "Throttle", style="danger", ask=("Throttle?", f"Gateways slow down {whom}."))
    )
    elements = [
        button(ACTIONS["acknowledge"], "Acknowledge", style="primary"),
        gate,
        button(ACTIONS["expected"], "Expected"),
        button(ACTIONS["false_alarm"], "False alarm"),
        choice(ACTIONS["planned"], "Planned …", _SPANS),
        choice(ACTIONS["mute"], "Mute …", _SPANS),
    ]
    return actions(f"answer/{incident.id}/{incident.revision}", elements)


def _line(text: str) -> str:
    """Escape a line, keep it one, and shorten it to what people read."""
    return escape(clip(plain(text), _LONGEST_LINE))
