"""All that the page knows, built from the public topics and nothing else."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from alerts.incident import Incident
from alerts.throttle.command import Ack, Command
from streamer.config import BudgetConfig, PageConfig
from streamer.feedback import Feedback
from streamer.kafka.dead_letters import DeadLetter
from streamer.kafka.topics import Topics
from streamer.page.board import Board
from streamer.page.pulse import Pulse
from streamer.page.rejections import Rejections
from streamer.page.spend import LEVELS, Spend
from streamer.records import Anomaly, BudgetStanding, Rollup


class Change(msgspec.Struct, frozen=True):
    """What a record changed, for whoever shows it: the kind of thing, and whose it is (nobody's: everybody's)."""

    what: str
    tenants: frozenset[str] = frozenset()


class _Level(msgspec.Struct, gc=False):
    """Of a rollup only whose it is: those of sessions, which the page does not show, were on its topic once."""

    level: str


class PageState:
    """The read model. Feed it records in the order of their topics; `unreadable` counts those that were none.

    Pure: no clock, no Kafka. What a record changed is told by the `Change` that taking it gives.
    """

    def __init__(self, page: PageConfig, window: float, topics: Topics, budgets: tuple[BudgetConfig, ...] = ()) -> None:
        self.spend = Spend(window=window, history=page.history_seconds, rate=page.rate_seconds, most=page.max_series)
        self.board = Board()
        self.rejections = Rejections(page.history_seconds)
        self.budgets, self.pulse = budgets, Pulse()
        self.unreadable = 0
        self._take: Mapping[str, Callable[[str, bytes | None], Change | None]] = {
            topics.rollups: self._rollup,
            topics.anomalies: self._anomaly,
            topics.alerts: self._incident,
            topics.throttle: self._command,
            topics.acks: self._ack,
            topics.feedback: self._answer,
            topics.budgets: self._budget,
            topics.dead_letters: self._rejected,
        }

    @property
    def topics(self) -> list[str]:
        """What is to be read."""
        return list(self._take)

    def take(self, topic: str, key: bytes | None, value: bytes | None) -> Change | None:
        """Take in a record; None if nothing that is shown came of it."""
        try:
            change = self._take[topic]((key or b"").decode(errors="replace"), value)
            self.board.version += change is not None and change.what != "spend"
            return change
        except (msgspec.MsgspecError, RecursionError):
            self.unreadable += 1
            return None

    def _rollup(self, _: str, value: bytes | None) -> Change | None:
        if _read(value, _Level).level not in LEVELS:
            return None
        rollup = _read(value, Rollup)
        return Change("spend", frozenset({rollup.tenant})) if self.spend.take(rollup) else None

    def _anomaly(self, _: str, value: bytes | None) -> Change:
        return Change("incidents", frozenset(self.board.take_anomaly(_read(value, Anomaly))))

    def _incident(self, key: str, value: bytes | None) -> Change:
        incident = _read(value, Incident) if value else None
        return Change("incidents", frozenset(self.board.take_incident(key, incident)))

    def _command(self, key: str, value: bytes | None) -> Change:
        command = _read(value, Command) if value else None
        return Change("commands", frozenset(self.board.take_command(key, command)))

    def _ack(self, _: str, value: bytes | None) -> Change:
        return Change("commands", frozenset(self.board.take_ack(_read(value, Ack))))

    def _answer(self, _: str, value: bytes | None) -> Change:
        return Change("incidents", frozenset(self.board.take_answer(_read(value, Feedback))))

    def _budget(self, _: str, value: bytes | None) -> Change:
        return Change("spend", frozenset(self.board.take_budget(_read(value, BudgetStanding))))

    def _rejected(self, _: str, value: bytes | None) -> Change:
        self.rejections.take(_read(value, DeadLetter))
        return Change("quality")


def _read(value: bytes | None, kind: Any) -> Any:
    return msgspec.json.decode(value or b"", type=kind)
