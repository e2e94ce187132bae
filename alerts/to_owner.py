"""A receiver that goes to the owner's own channel."""

from collections.abc import Mapping
from typing import Protocol

from alerts.notification import Notification
from alerts.owners import Owner
from alerts.receiver import Receiver
from alerts.showback import Report, Reporter


class Channel(Receiver, Reporter, Protocol):
    """A place where people are told of incidents and of showbacks."""


class ToOwner:
    """Sends to the channel of whoever answers for it, or, where none is known, to the `default`."""

    def __init__(self, default: Channel, by_channel: Mapping[str, Channel]) -> None:
        self._default, self._by_channel = default, by_channel

    async def send(self, notification: Notification) -> str:
        """Send; the reference is that of the receiver which took it."""
        return await self._of(notification.owner).send(notification)

    async def report(self, report: Report) -> None:
        """Tell a showback to the owner whose it is."""
        await self._of(report.owner).report(report)

    def _of(self, owner: Owner | None) -> Channel:
        return self._by_channel.get(owner.channel if owner else "", self._default)
