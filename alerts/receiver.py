"""What every way of telling people promises."""

from typing import Protocol

from alerts.notification import Notification


class DeliveryFailed(Exception):
    """A notification was not taken. `permanent` says that trying again is of no use.

    `retry_after` is how many seconds the receiver asks to be left alone, None where it does not say.
    """

    def __init__(self, why: str, *, permanent: bool, retry_after: float | None = None) -> None:
        self.permanent, self.retry_after = permanent, retry_after
        super().__init__(why)


class Receiver(Protocol):
    """Sends notifications to people."""

    async def send(self, notification: Notification) -> str:
        """Send, and give the receiver's own reference of the message; raises DeliveryFailed."""
