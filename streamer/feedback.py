"""What people answer to what they were told: the record, and what makes one unusable."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from streamer.events.canonical import EARLIEST
from streamer.events.rejected import Rejected, rejected_by
from streamer.events.usage import Id, Name
from streamer.records import Scope

Verdict = Literal["acknowledge", "expected", "planned", "false_alarm", "mute", "throttle", "release"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
#: What every record of feedback holds, and next to no other record does.
MARK = b"tidegate.feedback"
SCHEMA = "tidegate.feedback/1"
# Fields whose text is nobody's prompt or answer; the names in `scope` are among those of a canonical event.
WORDS = frozenset(("schema", "id", "time", "verdict", "tenant", "incident", "anomaly", "series", "until", "by")) | {
    *Scope.__struct_fields__
}
_FAMILY = "tidegate.feedback/"
# Series are spelled with the escaped names of their entities.
Series = Annotated[str, Meta(max_length=4096)]
Moment = Annotated[datetime, Meta(tz=True)]
# Verdicts on something that was told, which they have to name.
_ANSWERS = frozenset({"expected", "false_alarm"})
_LONGEST_NAME = 256
_SAID: dict[Verdict, str] = {
    "acknowledge": "acknowledged it",
    "expected": "called it expected",
    "planned": "said it is planned",
    "false_alarm": "called it a false alarm",
    "mute": "muted it",
    "throttle": "asked to throttle it",
    "release": "asked to release it",
}


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """A person's word. A record of the same `id` about the same `anomaly` again changes nothing.

    `expected` and `false_alarm` name what they are about: its `anomaly` (an id), its `series`, or the `incident` that
    tells of it. `planned` holds until `until` for all that lies in `scope`; without one for the scope of what is named,
    or, where nothing is, for the whole tenant. Where nothing but an `incident` is named, even no `tenant`, the record
    counts for each anomaly of the incident, as long as the alert side knows it. `by` is who says it.

    On the topic of usage events only records that name their tenant are taken, and `incident` names nothing there.

    >>> said = Feedback(id="1", time=datetime(2026, 11, 22), tenant="acme", verdict="expected", series="tenant=acme#a")
    >>> said.schema, said.names_case
    ('tidegate.feedback/1', True)
    """

    schema: Literal["tidegate.feedback/1"] = "tidegate.feedback/1"
    id: Id
    time: Moment
    verdict: Verdict
    tenant: Name = ""
    incident: Name = ""
    anomaly: Name = ""
    series: Series = ""
    scope: Scope = Scope()
    until: Moment | None = None
    by: Name = ""

    @property
    def names_case(self) -> bool:
        """Whether an anomaly or a series is named, by itself."""
        return bool(self.anomaly or self.series)


def spoken(feedback: Feedback) -> str:
    """Say in words who said what.

    >>> at = datetime(2026, 11, 22, 10)
    >>> spoken(Feedback(id="1", time=at, verdict="mute", incident="4e8f", until=at.replace(hour=11), by="ann"))
    'ann muted it at 10:00:00 UTC, until 2026-11-22 11:00 UTC'
    """
    until = f", until {_utc(feedback.until):%Y-%m-%d %H:%M} UTC" if feedback.until else ""
    return f"{feedback.by or 'somebody'} {_SAID[feedback.verdict]} at {_utc(feedback.time):%H:%M:%S} UTC{until}"


def recognises(item: Mapping[str, Any]) -> bool:
    """Tell whether `item` means to be feedback, of whichever version."""
    return str(item.get("schema", "")).startswith(_FAMILY)


def feedback_of(fields: Mapping[str, Any], latest: datetime, item: int = 0) -> Feedback | Rejected:
    """Build the record that `fields` describe, or say why not; `latest` is the last moment that it may be of."""
    if fields.get("schema") != SCHEMA:
        return Rejected("unknown_format", f"feedback of another version than {SCHEMA}", item)
    try:
        return checked(msgspec.convert(fields, Feedback), latest, item)
    except msgspec.ValidationError as error:
        return rejected_by(error, item)


def checked(feedback: Feedback, latest: datetime, item: int = 0) -> Feedback | Rejected:
    """Apply the checks that the types cannot state."""
    mistake = _mistake_of_time(feedback, latest) or _mistake_of_names(feedback)
    return msgspec.structs.replace(mistake, item=item) if mistake else feedback


def addressed(feedback: Feedback | Rejected, item: int = 0) -> Feedback | Rejected:
    """Apply what a record among usage events has to keep to besides: nobody looks its incident up there."""
    if isinstance(feedback, Rejected):
        return feedback
    if not feedback.tenant:
        return Rejected("missing_tenant", "feedback among usage events names its tenant", item)
    if feedback.verdict in _ANSWERS and not feedback.names_case:
        return Rejected("missing_field", f"{feedback.verdict} among usage events names a series or an anomaly", item)
    return feedback


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC) if at.tzinfo else at


def _mistake_of_time(feedback: Feedback, latest: datetime) -> Rejected | None:
    if not EARLIEST <= feedback.time <= latest:
        return Rejected("impossible_time", f"time {feedback.time.isoformat()} is out of bounds")
    if feedback.until is not None and feedback.until <= feedback.time:
        return Rejected("impossible_time", "until is not after time")
    if feedback.verdict == "planned" and feedback.until is None:
        return Rejected("missing_field", "planned says until when")
    return None


def _mistake_of_names(feedback: Feedback) -> Rejected | None:
    if any(len(name) > _LONGEST_NAME for name in msgspec.structs.astuple(feedback.scope)):
        return Rejected("wrong_type", f"a name in scope has more than {_LONGEST_NAME} characters")
    if not feedback.tenant and (not feedback.incident or feedback.series or feedback.scope != Scope()):
        return Rejected("missing_tenant", "feedback names its tenant, or an incident and no series or scope")
    if feedback.verdict in _ANSWERS and not (feedback.names_case or feedback.incident):
        return Rejected("missing_field", f"{feedback.verdict} names a series, an anomaly or an incident")
    return None
