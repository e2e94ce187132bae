"""The dialog that asks until when: a real date and time, where none of the spans that a message offers will do."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from alerts.incident import moment
from alerts.slack.answers import (
    ACTIONS,
    UNTIL,
    Answer,
    Unusable,
    User,
    Verdict,
    about_of,
    answer_id,
    pressed_of,
    spoken_by,
)
from alerts.slack.blocks import Block, date_input, dialog

_TITLES: dict[Verdict, str] = {"planned": "Planned until", "mute": "Muted until"}
_LABEL = "Nothing is told of it until"
_HINTS: dict[Verdict, str] = {
    "planned": "By your own clock. If it ends before, that is told.",
    "mute": "By your own clock. Not even that it is over is told.",
}
_AHEAD = timedelta(hours=4)
_LONGEST = timedelta(days=366)
# The id of the one field.
_FIELD = "until"


class Asked(msgspec.Struct, frozen=True):
    """Somebody wants to name a date: of what, where, and Slack's ticket (good for three seconds) to ask him."""

    verdict: Verdict
    about: str
    channel: str
    trigger: str


class Mistaken(Exception):
    """A date that cannot be meant; `response` has Slack show why, in the dialog that stays open."""

    def __init__(self, why: str) -> None:
        self.response = {"response_action": "errors", "errors": {_FIELD: why}}
        super().__init__(why)


class _Picked(msgspec.Struct):
    selected_date_time: int | None = None


class _State(msgspec.Struct):
    values: dict[str, dict[str, _Picked]]


class _View(msgspec.Struct):
    callback_id: str
    private_metadata: str
    state: _State


class _Submitted(msgspec.Struct):
    user: User
    view: _View


def asked_of(payload: Mapping[str, Any]) -> Asked | None:
    """Read what was pressed; None where it asks for no date. Raises Unusable for what is nothing that was pressed."""
    pressed, action, _ = pressed_of(payload)
    if action.selected_option is None or action.selected_option.value != UNTIL:
        return None
    verdict = next((name for name in _TITLES if ACTIONS[name] == action.action_id), None)
    if verdict is None:
        raise Unusable(f"no date belongs to {action.action_id[:80]!r}")
    about_of(action.block_id)
    return Asked(verdict, action.block_id, pressed.container.channel_id, str(payload.get("trigger_id", "")))


def view_of(asked: Asked, now: datetime) -> Block:
    """Make the dialog, which begins with a full hour some time ahead."""
    begin = (now + _AHEAD).replace(minute=0, second=0, microsecond=0)
    field = date_input(_FIELD, _LABEL, _HINTS[asked.verdict], begin)
    return dialog(ACTIONS[asked.verdict], _TITLES[asked.verdict], f"{asked.about} {asked.channel}", [field])


def is_submitted(payload: Mapping[str, Any]) -> bool:
    """Tell whether a payload is of a dialog."""
    return payload.get("type") == "view_submission"


def answer_of_view(payload: Mapping[str, Any], now: datetime) -> Answer:
    """Read what was entered at `now`; raises Mistaken for a date that cannot be meant, Unusable for what is no answer.

    The same date by the same person on the same state of the message is the same answer.
    """
    try:
        submitted = msgspec.convert(payload, _Submitted)
        picked = submitted.view.state.values[_FIELD][_FIELD].selected_date_time
    except (msgspec.ValidationError, KeyError) as error:
        raise Unusable(f"no payload of a dialog: {error}") from error
    verdict = next((name for name in _TITLES if ACTIONS[name] == submitted.view.callback_id), None)
    about, _, channel = submitted.view.private_metadata.partition(" ")
    if verdict is None:
        raise Unusable(f"unknown dialog {submitted.view.callback_id[:80]!r}")
    incident, revision = about_of(about)
    until = _checked(picked, now)
    user = submitted.user
    return Answer(
        id=answer_id(incident, revision, verdict, until.isoformat(), user.id),
        verdict=verdict,
        incident=incident,
        time=now,
        until=until,
        user=user.id,
        by=spoken_by(user),
        channel=channel,
    )


def _checked(picked: int | None, now: datetime) -> datetime:
    if picked is None:
        raise Mistaken("Say until when.")
    if picked <= now.timestamp():
        raise Mistaken("This lies in the past.")
    if picked > (now + _LONGEST).timestamp():
        raise Mistaken("This is more than a year ahead.")
    return moment(picked)
