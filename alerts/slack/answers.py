"""What people press under a message: from Slack's payload to an answer about an incident."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Literal, get_args

import msgspec

from alerts.incident import moment

Verdict = Literal["acknowledge", "expected", "planned", "false_alarm", "mute", "throttle", "release"]
#: The `action_id` of each verdict.
ACTIONS: dict[Verdict, str] = {verdict: f"tidegate.{verdict}" for verdict in get_args(Verdict)}
_VERDICTS = {action: verdict for verdict, action in ACTIONS.items()}
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1)}
_TIMED: frozenset[Verdict] = frozenset({"planned", "mute"})
#: The choice of whoever wants to name a date, instead of a span.
UNTIL = "until"
_LONGEST_NAME = 256


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One person's answer. Its `id` derives from what was pressed, on which state of the message, by whom.

    So a double click and Slack's repeats are the same answer, and the same word about a later state is another.
    `user` is Slack's id of who answers, `by` what the person is called; `channel` is where the message is.
    """

    id: str
    verdict: Verdict
    incident: str
    time: datetime
    until: datetime | None = None
    user: str
    by: str
    channel: str


class Unusable(Exception):
    """A payload that is no answer to an incident; the message says why, for the log."""


class _Option(msgspec.Struct):
    value: str


class Action(msgspec.Struct):
    """What was pressed, of the row of buttons that `block_id` names, when, and which choice was made."""

    action_id: str
    action_ts: str
    block_id: str = ""
    selected_option: _Option | None = None


class User(msgspec.Struct):
    """Who answers, by Slack's id and by name."""

    id: str
    username: str = ""
    name: str = ""


class _Container(msgspec.Struct):
    channel_id: str = ""


class Pressed(msgspec.Struct):
    """What Slack says of a press that we read."""

    type: str
    user: User
    container: _Container
    actions: list[Action]


def answer_of(payload: Mapping[str, Any]) -> Answer:
    """Read what was pressed; raises Unusable for what is no answer to an incident.

    >>> from datetime import UTC
    >>> pressed = {"action_id": "tidegate.mute", "block_id": "answer/4e8f/3", "action_ts": "1795341600.0",
    ...            "selected_option": {"value": "1h"}}
    >>> user, place = {"id": "U1", "username": "ann"}, {"channel_id": "C1"}
    >>> said = answer_of({"type": "block_actions", "user": user, "container": place, "actions": [pressed]})
    >>> said.verdict, said.incident, said.by, said.until - said.time
    ('mute', '4e8f', 'ann', datetime.timedelta(seconds=3600))
    """
    pressed, action, at = pressed_of(payload)
    verdict = _VERDICTS[action.action_id]
    incident, revision = about_of(action.block_id)
    span = _span(action, verdict)
    user = pressed.user
    return Answer(
        id=answer_id(incident, revision, verdict, str(span), user.id),
        verdict=verdict,
        incident=incident,
        time=at,
        until=at + span if span else None,
        user=user.id,
        by=spoken_by(user),
        channel=pressed.container.channel_id,
    )


def pressed_of(payload: Mapping[str, Any]) -> tuple[Pressed, Action, datetime]:
    """Read a payload of one of our buttons or choices, and when it was pressed; raises Unusable for others."""
    try:
        pressed = msgspec.convert(payload, Pressed)
        (action,) = pressed.actions
        at = moment(float(action.action_ts))
    except (ValueError, OverflowError, OSError) as error:  # msgspec.ValidationError is a ValueError
        raise Unusable(f"no payload of a pressed button: {error}") from error
    if pressed.type != "block_actions" or action.action_id not in _VERDICTS:
        raise Unusable(f"unknown action {action.action_id[:80]!r}")
    return pressed, action, at


def about_of(row: str) -> tuple[str, str]:
    """Give the incident and its revision that the id of a row of buttons names; raises Unusable for another's."""
    place, _, incident_and_revision = row.partition("/")
    incident, _, revision = incident_and_revision.rpartition("/")
    if place != "answer" or not incident or len(incident) > _LONGEST_NAME:
        raise Unusable("the row of buttons names no incident")
    return incident, revision


def answer_id(incident: str, revision: str, verdict: Verdict, until: str, user: str) -> str:
    """Derive an answer's id from what it says, of which state of the message, and by whom."""
    about = "\x00".join((incident, revision, verdict, until, user))
    return f"slack-{blake2b(about.encode(), digest_size=12).hexdigest()}"


def spoken_by(user: User) -> str:
    """Give what a person is called."""
    return (user.username or user.name or user.id)[:_LONGEST_NAME]


def _span(action: Action, verdict: Verdict) -> timedelta | None:
    if verdict not in _TIMED:
        return None
    value = action.selected_option.value if action.selected_option else ""
    number, unit = value[:-1], value[-1:]
    if not (number.isdecimal() and len(number) < 4 and unit in _UNITS):
        raise Unusable(f"{verdict} without one of the spans that were offered")
    return int(number) * _UNITS[unit]
