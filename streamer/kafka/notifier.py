"""Sends what the dispatcher has pending, without ever holding up the metering."""

import asyncio
from collections.abc import Mapping

import structlog

from alerts.dispatcher import Dispatcher, Notification
from alerts.receiver import DeliveryFailed, Receiver
from streamer.clock import wall
from streamer.web.metrics import Metrics

log = structlog.get_logger()
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0


class Notifier:
    """One delivery an incident at a time, retried with growing pauses; what cannot be delivered goes to the fallback.

    The dispatcher keeps an incident pending until it is delivered, so a crash loses nothing and repeats at most
    the message in flight.
    """

    def __init__(self, receivers: Mapping[str, Receiver], fallback: Receiver, metrics: Metrics) -> None:
        self._receivers, self._fallback, self._metrics = receivers, fallback, metrics
        self._in_flight: dict[str, asyncio.Task[None]] = {}
        self._pauses: dict[str, tuple[float, float]] = {}

    def send_due(self, dispatcher: Dispatcher, now: float) -> None:
        """Start delivering what is due at `now` (epoch seconds)."""
        for notification in list(dispatcher.pending(now)):
            incident = notification.incident.id
            not_before, _ = self._pauses.get(incident, (0.0, 0.0))
            if incident not in self._in_flight and now >= not_before:
                self._in_flight[incident] = asyncio.create_task(self._deliver(dispatcher, notification))

    async def close(self) -> None:
        """Wait a little for deliveries under way; what is not done will be pending after the restart."""
        if self._in_flight:
            await asyncio.wait(self._in_flight.values(), timeout=5.0)

    async def _deliver(self, dispatcher: Dispatcher, notification: Notification) -> None:
        incident, receiver = notification.incident.id, notification.receiver
        try:
            ref = await self._receivers[receiver].send(notification)
        except DeliveryFailed as error:
            await self._failed(dispatcher, notification, error)
        else:
            self._pauses.pop(incident, None)
            self._metrics.notifications.labels(receiver, "delivered").inc()
            dispatcher.delivered(notification, ref, wall())
        finally:
            del self._in_flight[incident]

    async def _failed(self, dispatcher: Dispatcher, notification: Notification, error: DeliveryFailed) -> None:
        incident, receiver = notification.incident.id, notification.receiver
        log.error(
            "notification failed", receiver=receiver, incident=incident, why=str(error), permanent=error.permanent
        )
        if error.permanent:
            self._metrics.notifications.labels(receiver, "refused").inc()
            await self._fallback.send(notification)
            dispatcher.delivered(notification, notification.previous or "", wall())
            return
        self._metrics.notifications.labels(receiver, "failed").inc()
        _, pause = self._pauses.get(incident, (0.0, _FIRST_PAUSE / 2))
        pause = min(pause * 2, _LONGEST_PAUSE)
        self._pauses[incident] = (wall() + pause, pause)
