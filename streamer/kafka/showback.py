"""Sends the showbacks that are due, from what the topics hold at that time."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import structlog
from aiokafka.structs import ConsumerRecord, TopicPartition

from alerts.alert import Label
from alerts.receiver import DeliveryFailed
from alerts.showback import Report, Reporter
from alerts.text import money
from streamer.clock import wall
from streamer.config import BudgetConfig, Config, ShowbackConfig
from streamer.kafka.backoff import Backoff
from streamer.kafka.reading import first_offsets, reading, to_the_end
from streamer.kafka.topics import Topics
from streamer.pricing.money import ZERO
from streamer.records import Anomaly
from streamer.routing import owners_of
from streamer.showback.marks import Marks
from streamer.showback.period import Period, due
from streamer.showback.spend import Holder, Spend, Spent, report_of
from streamer.wiring import alert_of

log = structlog.get_logger()
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 600.0
_MOST_CAUSES = 3


class _Of(msgspec.Struct):
    labels: dict[str, str]


class _Saved(msgspec.Struct):
    """What showback reads of an incident."""

    updated_at: datetime
    usd_saved: Decimal = ZERO
    alerts: dict[str, _Of] = {}


class Showbacks:
    """One showback at a time, in the background; one that fails is tried again after growing pauses of its own.

    The marks of what was sent are the alert stage's: whoever has the incidents sends the showbacks. See decision 20.
    """

    def __init__(
        self, config: Config, topics: Topics, partitions: Mapping[str, int], reporters: Mapping[str, Reporter]
    ) -> None:
        self._config, self._topics, self._reporters = config, topics, reporters
        self._partitions, self._owners = partitions, owners_of(config.alerts)
        self._sending: asyncio.Task[None] | None = None
        self._pauses = Backoff(random.random, _FIRST_PAUSE, _LONGEST_PAUSE)

    def send_due(self, marks: Marks, now: float) -> None:
        """Start sending what is due at `now` (epoch seconds), if nothing is under way."""
        if self._sending is not None and not self._sending.done():
            return
        for one in self._config.alerts.showback:
            period = due(one.period, one.at, ZoneInfo(one.zone), now)
            if _is_news(period, marks.get(one.name)) and self._pauses.may_go(one.name, now):
                self._sending = asyncio.create_task(self._send(one, period, marks))
                return

    async def close(self) -> None:
        """Stop: what was not sent is due after the restart."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait([self._sending])

    async def _send(self, one: ShowbackConfig, period: Period, marks: Marks) -> None:
        try:
            report = await self.report(one, period)
            if report.total.usd or report.total.before:
                await self._reporters[one.receiver].report(report)
            else:
                log.warning("no showback, for nothing was spent: are its names spelled right?", showback=one.name)
        except Exception as error:  # a showback may wait, the worker may not
            why = str(error) if isinstance(error, DeliveryFailed) else type(error).__name__
            log.error("showback failed", showback=one.name, why=why)
            self._pauses.failed(one.name, wall())
        else:
            self._pauses.worked(one.name)
            marks.set(one.name, period.end.isoformat())

    async def report(self, one: ShowbackConfig, period: Period) -> Report:
        """Add up the topics of a period and of the one before; raises KafkaError."""
        before = period.before()
        now_spent, then_spent = Spend(period, one.tenants), Spend(before, one.tenants)
        async for record in self._records(self._topics.rollups, before):
            if _is_holders(record):
                spent = msgspec.json.decode(record.value, type=Spent)
                now_spent.add(spent, record.partition)
                then_spent.add(spent, record.partition)
        if one.owner:
            now_spent, then_spent = (
                spent.owned(lambda holder: self._owns(one, _labels(holder))) for spent in (now_spent, then_spent)
            )
        budgets = [each for each in self._config.budgets if self._owns(one, _labels(each))]
        report = report_of(
            now_spent,
            then_spent,
            period,
            whose=one.owner or ", ".join(one.tenants),
            budgets=budgets,
            causes=await self._causes(one, period),
            saved=await self._saved(one, period),
        )
        return msgspec.structs.replace(report, owner=self._owners.find(one.owner) if one.owner else None)

    async def _causes(self, one: ShowbackConfig, period: Period) -> list[str]:
        """Give what cost most above normal, the dearest first."""
        found: dict[str, Anomaly] = {}
        async for record in self._records(self._topics.anomalies, period):
            anomaly = msgspec.json.decode(record.value, type=Anomaly)
            known = found.get(anomaly.id)
            latest = known is None or anomaly.updated_at >= known.updated_at
            if latest and period.start <= anomaly.opened_at < period.end:
                found[anomaly.id] = anomaly
        mine = [
            each
            for each in found.values()
            if each.usd_excess > 0
            and each.tenant in (one.tenants or (each.tenant,))
            and self._owns(one, alert_of(each).labels)
        ]
        return [_cause(each) for each in sorted(mine, key=lambda each: (-each.usd_excess, each.id))[:_MOST_CAUSES]]

    async def _saved(self, one: ShowbackConfig, period: Period) -> Decimal | None:
        """Add up what incidents say that throttling saved, as far as their topic still holds them."""
        found: dict[bytes, Decimal] = {}
        async for record in self._records(self._topics.alerts, period):
            incident = msgspec.json.decode(record.value, type=_Saved)
            alerts = incident.alerts.values()
            tenants = {alert.labels.get("tenant", "") for alert in alerts}
            owned = all(self._owns(one, alert.labels) for alert in alerts)
            if period.start <= incident.updated_at < period.end and tenants <= set(one.tenants or tenants) and owned:
                found[record.key or b""] = incident.usd_saved
        return sum(found.values(), ZERO) or None

    def _owns(self, one: ShowbackConfig, labels: Mapping[Label, str]) -> bool:
        """Tell whether what has these labels belongs to the showback's owner; without one everything does."""
        return not one.owner or self._owners.labels_of(labels).get("owner") == one.owner

    async def _records(self, topic: str, period: Period) -> AsyncIterator[ConsumerRecord]:
        """Give what was written to a topic from a period's start on: what came late counts too."""
        places = [TopicPartition(topic, each) for each in range(self._partitions[topic])]
        async with reading(self._config.kafka, places) as consumer:
            for place, offset in (await first_offsets(consumer, places, period.start.timestamp())).items():
                consumer.seek(place, offset)
            async for records in to_the_end(consumer, places, await consumer.end_offsets(places)):
                for record in records:
                    if record.value is not None:
                        yield record


def _is_news(period: Period, told: str) -> bool:
    """Tell whether a period is newer than the one that was told of: clocks go back, and times are changed."""
    return not told or period.end > datetime.fromisoformat(told)


def _is_holders(record: ConsumerRecord) -> bool:
    """Leave out models and sessions: they are most of all rollups, and say nothing more."""
    key = record.key or b""
    return not (b"/model=" in key or b"/session=" in key)


def _labels(holder: Holder | BudgetConfig) -> dict[Label, str]:
    agent = holder.agent if isinstance(holder, Holder) else ""
    named = {"tenant": holder.tenant, "use_case": holder.use_case, "agent": agent}
    return {name: value for name, value in named.items() if value}


def _cause(anomaly: Anomaly) -> str:
    scope = anomaly.scope
    whose = " · ".join(part for part in (anomaly.tenant, scope.use_case, scope.agent) if part)
    return f"{money(anomaly.usd_excess)} {whose}, {anomaly.kind}: {anomaly.reason}"
