"""One message that is due, as every receiver is given it."""

import msgspec

from alerts.decide import Because
from alerts.incident import Incident
from alerts.owners import Owner


class Notification(msgspec.Struct, frozen=True):
    """What to tell, whom, and why. `previous` is the receiver's reference of the last one."""

    incident: Incident
    receiver: str
    because: Because
    previous: str | None
    owner: Owner | None = None
