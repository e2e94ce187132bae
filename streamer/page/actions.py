"""What a person does on the page, as the record of it on the feedback topic: the same as Slack's buttons write."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from alerts.incident import Incident
from streamer.events.rejected import Rejected
from streamer.feedback import Feedback, Verdict, checked
from streamer.page.board import is_seen_by
from streamer.page.refused import Refused
from streamer.page.sight import Sight


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of an action: what, on which incident, and until when for `planned` and `mute`."""

    verdict: Verdict
    incident: Annotated[str, Meta(min_length=1, max_length=256)]
    until: Annotated[datetime, Meta(tz=True)] | None = None


def feedback_of_action(asked: Asked, incident: Incident | None, by: Sight, name: str, now: datetime) -> Feedback:
    """Make the record, `name` its id; raises Refused for whom or what may not be."""
    if incident is None or not is_seen_by(incident, by):
        raise Refused(404, "there is no such incident")
    if not by.operator:
        raise Refused(403, f"{by.name} may look, not act: ask an operator")
    if asked.until is not None and asked.until <= now:
        raise Refused(422, "until is over already")
    made = checked(
        Feedback(id=name, time=now, verdict=asked.verdict, incident=incident.id, until=asked.until, by=by.name), now
    )
    if isinstance(made, Rejected):
        raise Refused(422, made.detail)
    return made
