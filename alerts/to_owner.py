"""A receiver that goes to the owner's own channel."""

from collections.abc import Mapping

from alerts.notification import Notification
from alerts.receiver import Receiver


class ToOwner:
    """Sends to the channel of whoever answers for an incident, or, where none is known, to the `default`."""

    def __init__(self, default: Receiver, by_channel: Mapping[str, Receiver]) -> None:
        self._default, self._by_channel = default, by_channel

    async def send(self, notification: Notification) -> str:
        """Send; the reference is that of the receiver which took it."""
        channel = notification.owner.channel if notification.owner else ""
        return await self._by_channel.get(channel, self._default).send(notification)
