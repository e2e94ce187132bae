"""PagerDuty as a receiver: one alert an incident, acknowledged and resolved with it."""

import msgspec

from alerts.http import post
from alerts.notification import Notification
from alerts.pagerduty.event import event

URL = "https://events.pagerduty.com/v2/enqueue"


class PagerDutyReceiver:
    """Sends to one service's integration. PagerDuty knows an alert by the incident's id, so a repeat is no news."""

    def __init__(self, routing_key: str, *, url: str = URL, timeout: float) -> None:
        self._routing_key, self._url, self._timeout = routing_key, url, timeout

    async def send(self, notification: Notification) -> str:
        """Send an event; its reference is the incident's id."""
        content = msgspec.json.encode(event(notification, self._routing_key))
        await post("PagerDuty", self._url, content, {}, self._timeout)
        return notification.incident.id
