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


class _Action(msgspec.Struct):
    action_id: str
    action_ts: str
    block_id: str = ""
    selected_option: _Option | None = None


class _User(msgspec.Struct):
    id: str
    username: str = ""
    name: str = ""


class _Container(msgspec.Struct):
    channel_id: str = ""


class _Pressed(msgspec.Struct):
    type: str
    user: _User
    container: _Container
    actions: list[_Action]


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
    try:
        pressed = msgspec.convert(payload, _Pressed)
        (action,) = pressed.actions
        at = moment(float(action.action_ts))
    except (ValueError, OverflowError, OSError) as error:  # msgspec.ValidationError is a ValueError
        raise Unusable(f"no payload of a pressed button: {error}") from error
    if pressed.type != "block_actions" or action.action_id not in _VERDICTS:
        raise Unusable(f"unknown action {action.action_id[:80]!r}")
    verdict = _VERDICTS[action.action_id]
    place, _, incident_and_revision = action.block_id.partition("/")
    incident, _, revision = incident_and_revision.rpartition("/")
    if place != "answer" or not incident or len(incident) > _LONGEST_NAME:
        raise Unusable("the row of buttons names no incident")
    span = _span(action, verdict)
    user = pressed.user
    about = "\x00".join((incident, revision, verdict, str(span), user.id))
    return Answer(
        id=f"slack-{blake2b(about.encode(), digest_size=12).hexdigest()}",
        verdict=verdict,
        incident=incident,
        time=at,
        until=at + span if span else None,
        user=user.id,
        by=(user.username or user.name or user.id)[:_LONGEST_NAME],
        channel=pressed.container.channel_id,
    )


def _span(action: _Action, verdict: Verdict) -> timedelta | None:
    if verdict not in _TIMED:
        return None
    value = action.selected_option.value if action.selected_option else ""
    number, unit = value[:-1], value[-1:]
    if not (number.isdecimal() and len(number) < 4 and unit in _UNITS):
        raise Unusable(f"{verdict} without one of the spans that were offered")
    return int(number) * _UNITS[unit]
