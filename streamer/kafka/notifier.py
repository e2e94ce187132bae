"""Sends what the dispatcher has pending, without ever holding up the metering."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping

import structlog

from alerts.channels import Channels, Report
from alerts.dispatcher import Dispatcher
from alerts.incident import Incident
from alerts.notification import Notification
from alerts.receiver import DeliveryFailed, Receiver
from alerts.undelivered import undelivered
from streamer.clock import utc, wall
from streamer.kafka.backoff import Backoff
from streamer.web.metrics import Metrics

log = structlog.get_logger()
# Deliveries under way to one receiver; a stalled one keeps the others' places free.
_MOST_IN_FLIGHT = 16


class Notifier:
    """One delivery an incident at a time, retried with growing pauses; what cannot be delivered goes to the fallback.

    What finds no place is held, not shed: the dispatcher keeps it, and it is as new as can be when its turn comes.
    The dispatcher keeps an incident pending until it is delivered, and of an incident nothing further is sent before
    that is written down, so a crash loses nothing and repeats at most the message in flight. A receiver that fails is
    tried by one delivery at a time; after `dead_after` seconds the `fallback`, one of the receivers by name, says so.
    `last_resort` takes what no receiver does. `chance` gives numbers from 0 to 1, for the pauses.
    """

    def __init__(
        self,
        receivers: Mapping[str, Receiver],
        last_resort: Receiver,
        metrics: Metrics,
        *,
        fallback: str = "",
        dead_after: float = 300.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._receivers, self._last_resort, self._metrics = receivers, last_resort, metrics
        self._fallback, self._dead_after = fallback, dead_after
        self._in_flight: dict[str, asyncio.Task[None]] = {}
        self._unsaved: set[str] = set()
        self._busy: Counter[str] = Counter()
        self._held: Counter[str] = Counter()
        self._incidents, self._channels, self._reporting = Backoff(chance), Backoff(chance), Backoff(chance)
        self._dead = Channels()
        self._reports: dict[str, asyncio.Task[None]] = {}

    def send_due(self, dispatcher: Dispatcher, dead: Channels, now: float) -> None:
        """Start delivering what is due at `now` (epoch seconds), what tells of commands first.

        `dead` is where receivers that fail are written down: a part of the incidents' state, as the dispatcher is.
        """
        self._dead = dead
        self._unsaved = {name for name in self._unsaved if not dispatcher.saved(name)}
        self._held = Counter(dict.fromkeys(self._receivers, 0))
        due = list(dispatcher.pending(now, lambda incident: self._may_go(incident, now)))
        for notification in sorted(due, key=lambda notification: not notification.incident.commands):
            if self._has_room(notification.receiver, now):
                self._start(dispatcher, notification)
            else:
                self._held[notification.receiver] += 1
        for receiver, count in self._held.items():
            self._metrics.notifications_held.labels(receiver).set(count)
        self._report_dead(now)

    async def close(self) -> None:
        """Wait a little for deliveries under way; what is not done will be pending after the restart."""
        if under_way := [*self._in_flight.values(), *self._reports.values()]:
            await asyncio.wait(under_way, timeout=5.0)

    def _may_go(self, incident: Incident, now: float) -> bool:
        if incident.id in self._in_flight or incident.id in self._unsaved:
            return False
        if not self._incidents.may_go(incident.id, now):
            self._held[incident.receiver] += 1
            return False
        if not self._has_room(incident.receiver, now):
            self._held[incident.receiver] += 1
            return False
        return True

    def _has_room(self, receiver: str, now: float) -> bool:
        """Tell whether one more may go: of those that fail one at a time, when its pause is over."""
        if receiver in self._channels:
            return self._busy[receiver] == 0 and self._channels.may_go(receiver, now)
        return self._busy[receiver] < _MOST_IN_FLIGHT

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
            self._incidents.worked(incident)
            dispatcher.delivered(notification, ref, wall())
            self._unsaved.add(incident)
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
            await self._send_elsewhere(notification)
            return notification.previous or ""
        self._metrics.notifications.labels(receiver, "delivered").inc()
        self._works(receiver)
        return ref

    async def _send_elsewhere(self, notification: Notification) -> None:
        """Send to the fallback, and where that takes nothing either, to the last resort."""
        elsewhere = self._receivers.get(self._fallback)
        if elsewhere is not None and self._fallback != notification.receiver:
            try:
                await elsewhere.send(notification)
                return
            except Exception as error:
                foreseen = isinstance(error, DeliveryFailed)
                log.error("the fallback failed", receiver=self._fallback, exc_info=None if foreseen else error)
        await self._last_resort.send(notification)

    def _receiver(self, name: str) -> Receiver:
        """Find a receiver; an incident may be older than the configuration."""
        if name not in self._receivers:
            raise DeliveryFailed(f"the configuration knows no receiver {name}", permanent=True)
        return self._receivers[name]

    def _put_off(self, notification: Notification, error: Exception) -> None:
        """Let a pause pass before the next try, also after an error that nobody foresaw."""
        incident, receiver, now = notification.incident.id, notification.receiver, wall()
        foreseen = isinstance(error, DeliveryFailed)
        why = str(error) if foreseen else type(error).__name__
        log.error(
            "notification failed", receiver=receiver, incident=incident, why=why, exc_info=None if foreseen else error
        )
        self._metrics.notifications.labels(receiver, "failed").inc()
        asked = error.retry_after if isinstance(error, DeliveryFailed) else None
        self._incidents.failed(incident, now, asked)
        if foreseen:
            self._channels.failed(receiver, now, asked)
            self._dead.failed(receiver, why, now)
            self._metrics.receivers_failing.labels(receiver).set(1)

    def _works(self, receiver: str) -> None:
        """Note that a receiver takes something."""
        self._channels.worked(receiver)
        self._dead.worked(receiver, wall())
        self._metrics.receivers_failing.labels(receiver).set(0)

    def _report_dead(self, now: float) -> None:
        """Have another receiver say which ones take nothing, and which do again."""
        for report in self._dead.due(self._dead_after, now):
            name, failing = report.receiver, report.failing
            if name not in self._reports and self._reporting.may_go(name, now):
                until = None if failing.until is None else utc(failing.until)
                notice = undelivered(name, failing.why, self._held[name], utc(failing.since), until)
                self._reports[name] = asyncio.create_task(self._say(self._dead, report, notice))

    async def _say(self, dead: Channels, report: Report, notice: Notification) -> None:
        name = report.receiver
        try:
            await self._send_elsewhere(notice)
        except Exception as error:
            self._reporting.failed(name, wall())
            log.error("nobody can be told of a dead receiver", receiver=name, exc_info=error)
        else:
            self._reporting.worked(name)
            dead.said(report)
        finally:
            del self._reports[name]
