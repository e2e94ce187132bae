"""Drives the Pipeline and the alert side over sources, by the data's own clock."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from alerts.dispatcher import Notification
from alerts.throttle.ledger import Change
from streamer.config import Config
from streamer.events.rejected import Rejected
from streamer.events.skipped import Skipped
from streamer.feedback import Feedback
from streamer.pipeline import Output, Pipeline
from streamer.pricing.money import ZERO, CostKind
from streamer.records import Anomaly, Rollup
from streamer.replay.sources import Item
from streamer.wiring import alert_of, desk_of

# Through a gap time passes in seconds at first, then in minutes, then at once: what is open has long ended by then.
_STEPS = ((1.0, 120), (60.0, 60))


class Told(msgspec.Struct, frozen=True):
    """A notification that would have been sent: when (event time, epoch seconds), and what."""

    at: float
    notification: Notification


class Step(msgspec.Struct):
    """What one event, or passing time, led to."""

    rollups: list[Rollup] = []
    told: list[Told] = []
    commands: list[Change] = []


class Replay:
    """One run. `anomalies` holds the last state of each; `spend` is by tenant and by kind of cost, exact.

    `given` is how much of it senders gave.
    """

    def __init__(self, config: Config, begin: datetime | None = None, end: datetime | None = None) -> None:
        self._pipeline, self._desk = Pipeline(config), desk_of(config)
        self._begin, self._end = begin, end
        self._longest_wait = self._desk.dispatcher.tree.longest_wait
        self._clock = float("-inf")
        self._ticked = float("-inf")
        self.anomalies: dict[str, Anomaly] = {}
        self.rejected: Counter[str] = Counter()
        self.mistakes: list[str] = []
        self.spend: dict[str, dict[CostKind, Decimal]] = {}
        self.given = ZERO

    def run(self, items: Iterable[Item]) -> Iterator[Step]:
        """Take in all items, then close what is open at the end of the data."""
        for item in items:
            yield from self._take(item)
        yield self._follow(self._pipeline.flush())
        yield from self._tell_the_rest()

    def counts(self) -> Mapping[str, int]:
        """Count events by what became of them."""
        return {str(name): count for name, count in sorted(self._pipeline.counts().items())}

    def heard(self) -> Mapping[str, Mapping[str, int]]:
        """Count feedback by verdict, and by what became of it."""
        found: dict[str, dict[str, int]] = {}
        for (verdict, outcome), count in sorted(self._pipeline.heard().items()):
            found.setdefault(verdict, {})[outcome] = count
        return found

    def _take(self, item: Item) -> Iterator[Step]:
        event = item.decoded
        if isinstance(event, Rejected):
            self.rejected[event.reason] += 1
            place = f"row {item.row}" + (f", item {event.item + 1}" if event.item else "")
            self.mistakes.append(f"{item.source}, {place}: {event.reason}: {event.detail}")
            return
        if isinstance(event, Skipped):
            return
        if (self._begin and event.time < self._begin) or (self._end and event.time >= self._end):
            return
        at = event.time.timestamp()
        yield from self._pass_time(at)
        self._clock = max(self._clock, at)
        if isinstance(event, Feedback):
            yield self._follow(self._pipeline.feedback(event))
        else:
            yield self._follow(self._pipeline.submit([event], self._clock))

    def _pass_time(self, until: float) -> Iterator[Step]:
        self._ticked = until if self._ticked == float("-inf") else self._ticked
        for moment in _moments(self._ticked, until):
            self._ticked = moment
            self._clock = max(self._clock, moment)
            yield self._follow(self._pipeline.tick(self._clock))

    def _tell_the_rest(self) -> Iterator[Step]:
        """Let the incidents that wait for company be told after all."""
        if self._desk.dispatcher.open_incidents():
            until = self._clock + self._longest_wait
            for moment in (*_moments(self._clock, until), until):
                self._clock = moment
                yield self._follow(Output())

    def _follow(self, output: Output) -> Step:
        """Let the alert side do with the anomalies what it would have done live."""
        step = Step(output.rollups)
        for anomaly in output.anomalies:
            self._keep(anomaly)
            step.commands += self._desk.submit(alert_of(anomaly), self._clock)
        step.commands += self._desk.tick(self._clock)
        dispatcher = self._desk.dispatcher
        for notification in list(dispatcher.pending(self._clock)):
            dispatcher.delivered(notification, "replay", self._clock)
            step.told.append(Told(self._clock, notification))
        self._count(output.rollups)
        return step

    def _keep(self, anomaly: Anomaly) -> None:
        """Remember an anomaly's last state, with the worst rate that it had."""
        known = self.anomalies.get(anomaly.id)
        worst = max(known.usd_per_hour, anomaly.usd_per_hour) if known else anomaly.usd_per_hour
        self.anomalies[anomaly.id] = msgspec.structs.replace(anomaly, usd_per_hour=worst)

    def _count(self, rollups: list[Rollup]) -> None:
        for rollup in rollups:
            if rollup.level == "tenant":
                self.given += rollup.usd_given
                spend = self.spend.setdefault(rollup.tenant, {})
                for kind, amount in rollup.usd_by_kind.items():
                    spend[kind] = spend.get(kind, ZERO) + amount


def _moments(since: float, until: float) -> Iterator[float]:
    """Give the moments after `since` at which time is let pass, the last less than a step before `until`."""
    for step, most in _STEPS:
        for _ in range(most):
            if until - since < step:
                break
            since += step
            yield since
    if until - since >= _STEPS[-1][0]:
        yield until
