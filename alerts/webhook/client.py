"""A webhook as a receiver: the incident as JSON, signed."""

from collections.abc import Callable
from typing import Literal

import msgspec

from alerts.decide import Because
from alerts.http import post
from alerts.incident import Incident
from alerts.notification import Notification
from alerts.owners import Owner
from alerts.text import headline
from alerts.webhook.sign import DELIVERY, SIGNATURE, TIMESTAMP, signature


class WebhookBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook posts. `id` is the same for a notification that is sent again: a crash may repeat the last one."""

    schema: Literal["tidegate.notification/1"] = "tidegate.notification/1"
    id: str
    because: Because
    receiver: str
    owner: Owner | None
    text: str
    incident: Incident


class WebhookReceiver:
    """Posts to one address. With a secret each request is signed; without one it is not, and proves nothing.

    `clock` gives the time (epoch seconds) that is signed.
    """

    def __init__(self, url: str, secret: str, *, timeout: float, clock: Callable[[], float]) -> None:
        self._url, self._secret, self._timeout, self._clock = url, secret.encode(), timeout, clock

    async def send(self, notification: Notification) -> str:
        """Post the incident; its reference is the incident's id."""
        body = body_of(notification)
        content = msgspec.json.encode(body)
        headers = {DELIVERY: body.id}
        if self._secret:
            now = int(self._clock())
            headers |= {TIMESTAMP: str(now), SIGNATURE: signature(self._secret, now, content)}
        await post("webhook", self._url, content, headers, self._timeout)
        return notification.incident.id


def _delivery(notification: Notification) -> str:
    """Name a notification: what is said again after long is another, though nothing about it has changed."""
    incident = notification.incident
    name = f"{incident.id}-{incident.revision}-{notification.because}"
    return f"{name}-{incident.sent.at:.0f}" if notification.because == "repeat" and incident.sent else name


def body_of(notification: Notification) -> WebhookBody:
    """Make the body of a notification."""
    incident = notification.incident
    return WebhookBody(
        id=_delivery(notification),
        because=notification.because,
        receiver=notification.receiver,
        owner=notification.owner,
        text=headline(incident),
        incident=incident,
    )
