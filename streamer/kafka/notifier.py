"""Sends what the dispatcher has pending, without ever holding up the metering."""

import asyncio
from collections import Counter
from collections.abc import Mapping

import structlog

from alerts.dispatcher import Dispatcher, Notification
from alerts.receiver import DeliveryFailed, Receiver
from streamer.clock import wall
from streamer.web.metrics import Metrics

log = structlog.get_logger()
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
# Deliveries under way to one receiver; a stalled one keeps the others' places free.
_MOST_IN_FLIGHT = 16


class Notifier:
    """One delivery an incident at a time, retried with growing pauses; what cannot be delivered goes to the fallback.

    What finds no place is held, not shed: the dispatcher keeps it, and it is as new as can be when its turn comes.
    The dispatcher keeps an incident pending until it is delivered, so a crash loses nothing and repeats at most
    the message in flight.
    """

    def __init__(self, receivers: Mapping[str, Receiver], fallback: Receiver, metrics: Metrics) -> None:
        self._receivers, self._fallback, self._metrics = receivers, fallback, metrics
        self._in_flight: dict[str, asyncio.Task[None]] = {}
        self._busy: Counter[str] = Counter()
        self._pauses: dict[str, tuple[float, float]] = {}

    def send_due(self, dispatcher: Dispatcher, now: float) -> None:
        """Start delivering what is due at `now` (epoch seconds), what tells of commands first."""
        due = [notification for notification in dispatcher.pending(now) if self._may_go(notification.incident.id, now)]
        held: Counter[str] = Counter(dict.fromkeys(self._receivers, 0))
        for notification in sorted(due, key=lambda notification: not notification.incident.commands):
            if self._busy[notification.receiver] < _MOST_IN_FLIGHT:
                self._start(dispatcher, notification)
            else:
                held[notification.receiver] += 1
        for receiver, count in held.items():
            self._metrics.notifications_held.labels(receiver).set(count)

    async def close(self) -> None:
        """Wait a little for deliveries under way; what is not done will be pending after the restart."""
        if self._in_flight:
            await asyncio.wait(self._in_flight.values(), timeout=5.0)

    def _may_go(self, incident: str, now: float) -> bool:
        not_before, _ = self._pauses.get(incident, (0.0, 0.0))
        return incident not in self._in_flight and now >= not_before

    def _start(self, dispatcher: Dispatcher, notification: Notification) -> None:
        self._busy[notification.receiver] += 1
        self._in_flight[notification.incident.id] = asyncio.create_task(self._deliver(dispatcher, notification))

    async def _deliver(self, dispatcher: Dispatcher, notification: Notification) -> None:
        incident = notification.incident.id
        try:
            ref = await self._sent(notification)
        except Exception as error:
            self._put_off(notification, error)
        else:
            self._pauses.pop(incident, None)
            dispatcher.delivered(notification, ref, wall())
        finally:
            del self._in_flight[incident]
            self._busy[notification.receiver] -= 1

    async def _sent(self, notification: Notification) -> str:
        """Send, what the receiver refuses for good to the fallback; gives the reference of what people see."""
        incident, receiver = notification.incident.id, notification.receiver
        try:
            ref = await self._receiver(receiver).send(notification)
        except DeliveryFailed as error:
            if not error.permanent:
                raise
            log.error("notification refused", receiver=receiver, incident=incident, why=str(error))
            self._metrics.notifications.labels(receiver, "refused").inc()
            await self._fallback.send(notification)
            return notification.previous or ""
        self._metrics.notifications.labels(receiver, "delivered").inc()
        return ref

    def _receiver(self, name: str) -> Receiver:
        """Find a receiver; an incident may be older than the configuration."""
        if name not in self._receivers:
            raise DeliveryFailed(f"the configuration knows no receiver {name}", permanent=True)
        return self._receivers[name]

    def _put_off(self, notification: Notification, error: Exception) -> None:
        """Let a pause pass before the next try, also after an error that nobody foresaw."""
        incident, receiver = notification.incident.id, notification.receiver
        foreseen = isinstance(error, DeliveryFailed)
        log.error(
            "notification failed",
            receiver=receiver,
            incident=incident,
            why=str(error) if foreseen else type(error).__name__,
            exc_info=None if foreseen else error,
        )
        self._metrics.notifications.labels(receiver, "failed").inc()
        _, pause = self._pauses.get(incident, (0.0, _FIRST_PAUSE / 2))
        pause = min(pause * 2, _LONGEST_PAUSE)
        self._pauses[incident] = (wall() + pause, pause)
