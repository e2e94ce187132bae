"""What goes to owners is told in their own channels: incidents and showbacks alike."""

from decimal import Decimal

import msgspec
import pytest

from alerts.notification import Notification
from alerts.owners import Owner
from alerts.showback import Report, Row
from alerts.to_owner import ToOwner
from tests.alerts.build import incident, notification

NOTHING = Row("", Decimal(0), Decimal(0))
REPORT = Report(
    whose="blue", span="day", when="on Sunday", dates="2026-11-22", total=NOTHING, kinds=[], use_cases=[], agents=[]
)


class Channel:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Notification | Report] = []

    async def send(self, notification: Notification) -> str:
        self.told.append(notification)
        return "ref"

    async def report(self, report: Report) -> None:
        self.told.append(report)


@pytest.mark.parametrize(
    ("owner", "is_own"),
    [(Owner("blue", "C1"), True), (Owner("red", "C2"), False), (Owner("green"), False), (None, False)],
)
async def test_an_owner_with_a_channel_is_told_there_and_all_others_by_default(
    owner: Owner | None, is_own: bool
) -> None:
    default, own = Channel(), Channel()
    found = ToOwner(default, {"C1": own})
    await found.send(msgspec.structs.replace(notification(incident()), owner=owner))
    await found.report(msgspec.structs.replace(REPORT, owner=owner))
    assert (len(own.told), len(default.told)) == ((2, 0) if is_own else (0, 2))
