"""The alert side of a replay: what people and gateways would have been told, and when, by the data's own clock."""

from collections.abc import Iterable, Iterator

import msgspec

from alerts.notification import Notification
from alerts.throttle.command import Command
from streamer.config import Config
from streamer.records import Anomaly
from streamer.replay.run import Chunk
from streamer.replay.seconds import Seconds
from streamer.wiring import alert_of, desk_of


class Told(msgspec.Struct, frozen=True):
    """A notification that would have been sent: when (event time, epoch seconds), and what."""

    at: float
    notification: Notification


class Office:
    """Hands anomalies to the desk as the worker would, and takes every notification for delivered."""

    def __init__(self, config: Config) -> None:
        self._desk = desk_of(config)
        self._longest_wait = self._desk.dispatcher.tree.longest_wait
        self._seconds = Seconds()
        self._clock = float("-inf")
        self._members: dict[str, list[str]] = {}

    def members(self) -> dict[str, list[str]]:
        """Give the ids of all anomalies of each incident that was told of; messages name only the dearest."""
        for name in self._members:
            self._note_members(name)
        return self._members

    def take(self, chunk: Chunk) -> Iterator[Told | Command]:
        """Follow the steps and the seconds of some events; gives what is told to people, and commands."""
        self._seconds.begin(chunk.since)
        for step in chunk.steps:
            # What a second brought out is heard with it, and not after it.
            yield from self._pass_time(step.at - 1 if step.passed else step.at)
            self._seconds.passed += step.passed
            yield from self._moment(step.at, step.anomalies)
        yield from self._pass_time(chunk.at)

    def close(self) -> Iterator[Told | Command]:
        """Let the incidents that wait for company be told after all."""
        if self._desk.dispatcher.open_incidents():
            until = self._clock + self._longest_wait
            yield from self._pass_time(until)
            yield from self._moment(until, ())

    def _due(self) -> float:
        return self._desk.due

    def _pass_time(self, until: float) -> Iterator[Told | Command]:
        for second in self._seconds.until(until, self._due):
            yield from self._moment(second, ())
        self._clock = until

    def _moment(self, at: float, anomalies: Iterable[Anomaly]) -> Iterator[Told | Command]:
        desk = self._desk
        changes = [change for anomaly in anomalies for change in desk.submit(alert_of(anomaly), at)]
        changes += desk.tick(at)
        yield from (change.command for change in changes if change.command)
        for notification in list(desk.dispatcher.pending(at)):
            self._note_members(notification.incident.id)
            desk.dispatcher.delivered(notification, "replay", at)
            yield Told(at, notification)

    def _note_members(self, name: str) -> None:
        # What is long over is forgotten; by then it was noted with its last message.
        if incident := self._desk.dispatcher.find(name):
            self._members[name] = list(incident.members())
