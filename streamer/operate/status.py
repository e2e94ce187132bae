"""`tidegate status`: who works, what has not been applied yet, how old the checkpoints are, what gateways were told."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition
from faust.types import TP

from alerts.incident import Incident
from alerts.throttle.command import Command
from streamer.config import Config, KafkaConfig, PageConfig
from streamer.kafka.connection import aiokafka_settings, consumer_of
from streamer.kafka.restore import read_log
from streamer.kafka.topics import CHANGELOGS, Topics, administering, changelog
from streamer.operate.kafka import members, newest
from streamer.page.board import in_force


async def standing(config: Config, now: float) -> list[str]:
    """Say how everything stands at `now` (epoch seconds), in lines; raises KafkaError if Kafka does not answer."""
    kafka, topics = config.kafka, Topics.named(config.kafka.topic_prefix)
    async with administering(aiokafka_settings(kafka)) as admin:
        lines = [await _group(admin, kafka.group), *await _lags(admin, kafka, topics)]
    for stage in CHANGELOGS:
        written = await newest(kafka, changelog(kafka.group, stage))
        lines.append(f"checkpoint  {stage}: {_age(written, now)}")
    incidents = [one for value in await _values(kafka, topics.alerts) if (one := _read(value, Incident))]
    commands = [one for value in await _values(kafka, topics.throttle) if (one := _read(value, Command))]
    return [*lines, *incident_lines(incidents, config.page), *command_lines(commands, now)]


def incident_lines(incidents: Iterable[Incident], page: PageConfig) -> Iterator[str]:
    """Tell of the incidents that are open, the dearest first, each with its link if there is one."""
    found = sorted((one for one in incidents if one.state == "open"), key=lambda one: -one.usd_per_hour)
    yield f"incidents   {len(found)} open"
    for one in found:
        cost = f"${one.usd_excess:,.2f} above normal, ${one.usd_per_hour:,.2f} an hour"
        yield f"            {one.id}  {one.severity}  {cost}  {page.link_to(one.id)}".rstrip()


def command_lines(commands: Iterable[Command], now: float) -> Iterator[str]:
    """Tell of the commands that are in force, and of what is suggested."""
    found = [one for one in commands if in_force(one, now)]
    yield f"commands    {sum(one.mode == 'enforce' for one in found)} in force"
    for one in sorted(found, key=lambda one: one.issued_at):
        left = one.expires_at.timestamp() - now
        yield f"            {one.mode}  {one.action}  {one.scope.key()}  for {left:,.0f} s more"


async def _group(admin: AIOKafkaAdminClient, group: str) -> str:
    found = await members(admin, group)
    if found is None:
        return f"group       {group}: the broker does not tell"
    return f"group       {group}: {found.state}, {found.many} worker" + ("s" if found.many != 1 else "")


async def _lags(admin: AIOKafkaAdminClient, kafka: KafkaConfig, topics: Topics) -> list[str]:
    """Say how many records of each source have not been applied and committed."""
    sources = (topics.raw, topics.usage, topics.anomalies, topics.acks, topics.feedback)
    described = await admin.describe_topics(list(sources))
    tps = [TopicPartition(topic["topic"], part["partition"]) for topic in described for part in topic["partitions"]]
    committed = await _committed(admin, kafka.group)
    if committed is None:
        return [f"lag         {kafka.group}: the broker does not tell"]
    consumer = consumer_of(kafka)
    consumer.assign(tps)
    async with consumer:
        begins, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
    behind: dict[str, int] = dict.fromkeys(sources, 0)
    for tp in tps:
        behind[tp.topic] += max(0, ends[tp] - max(committed.get(tp, 0), begins[tp]))
    return [f"lag         {topic}: {lag:,}" for topic, lag in behind.items()]


async def _committed(admin: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, int] | None:
    try:
        found = await admin.list_consumer_group_offsets(group)
    except KafkaError:
        return None
    return {tp: known.offset for tp, known in found.items()}


async def _values(kafka: KafkaConfig, topic: str) -> list[bytes]:
    return list((await read_log(kafka, TP(topic, 0))).values.values())


def _read(value: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(value, type=kind)
    except msgspec.MsgspecError:
        return None


def _age(written: float | None, now: float) -> str:
    return "none yet" if written is None else f"{max(0.0, now - written):,.1f} s old"
