"""Usage on its way from a gateway's plug-in to Tidegate: what is sent of LiteLLM's payloads, and how."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import aiohttp
import msgspec
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streamer.config import Config
from streamer.events.formats.base import Names
from streamer.events.formats.calls import calls_of
from streamer.events.formats.litellm import NAMES
from streamer.events.formats.values import find, mapping
from streamer.events.hashing import ArgumentHash
from streamer.kafka.connection import producer_of
from streamer.kafka.topics import Topics
from streamer.web.metrics import Metrics

log = structlog.get_logger()
_MOST_WAITING, _MOST_AT_ONCE = 10_000, 200
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0
_HTTP_SECONDS = 15.0
# What the decoder reads of a StandardLoggingPayload; everything else stays where it is.
_FIELDS = (
    *("id", "litellm_call_id", "trace_id", "session_id", "call_type", "status", "startTime", "endTime", "model"),
    *("model_group", "custom_llm_provider", "response_cost", "cache_hit", "prompt_tokens", "completion_tokens"),
    *("total_tokens", "request_tags", "end_user"),
)
_KEY = ("metadata.user_api_key_alias", "metadata.user_api_key_hash")
_LONGEST = 256


def stripped(payload: Mapping[str, Any], argument_hash: ArgumentHash, names: Names = NAMES) -> dict[str, Any]:
    """Give of a StandardLoggingPayload what Tidegate reads: no prompts, no answers, of tool arguments a hash.

    `names` say where it names whose call it is; what stands there is sent, if it is a single value.
    """
    sent = {name: payload[name] for name in _FIELDS if payload.get(name) is not None}
    sent["metadata"] = _metadata(_dict(payload.get("metadata")), argument_hash)
    for name in (*_KEY, *(name for field in names.__struct_fields__ for name in getattr(names, field))):
        if name.endswith(".*"):
            for inner, value in mapping(find(payload, name[:-2])).items():
                _put(sent, [*name[:-2].split("."), inner], value)
        else:
            _put(sent, name.split("."), find(payload, name))
    # Whatever the API: an answer of the provider's own shape is told as one of Chat Completions.
    calls = [
        {"function": {"name": call.name, "arguments": argument_hash(call.arguments)}}
        for call in calls_of(payload.get("response"))
    ]
    if calls:
        sent.setdefault("response", {})["choices"] = [{"message": {"tool_calls": calls}}]
    return sent


def _put(into: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Put a single value where its dotted name leads; what is nested or nothing is left behind."""
    if not isinstance(value, str | int | float):
        return
    for part in path[:-1]:
        into = into.setdefault(part, {})
        if not isinstance(into, dict):
            return
    into.setdefault(path[-1], value[:_LONGEST] if isinstance(value, str) else value)


def _metadata(metadata: Mapping[str, Any], argument_hash: ArgumentHash) -> dict[str, Any]:
    sent: dict[str, Any] = {"usage_object": dict(_dict(metadata.get("usage_object")))}
    mcp = _dict(metadata.get("mcp_tool_call_metadata"))
    if mcp.get("name"):
        sent["mcp_tool_call_metadata"] = {"name": mcp["name"], "arguments": argument_hash(mcp.get("arguments"))}
    return {name: value for name, value in sent.items() if value}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


class _Way(Protocol):
    """How a batch (a JSON array) gets to Tidegate: returns once it is there, raises what may be tried again."""

    async def __call__(self, batch: bytes) -> None: ...


class UsageSink:
    """Sends usage in the background, in order, each batch until it is taken; calls never wait for it.

    Past so many waiting events further ones are dropped, and counted: a gateway's memory is not Tidegate's.
    """

    def __init__(self, config: Config, metrics: Metrics) -> None:
        self._config, self._metrics = config, metrics
        self._waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_MOST_WAITING)

    def add(self, payload: dict[str, Any]) -> None:
        """Take in one payload, already stripped."""
        try:
            self._waiting.put_nowait(payload)
        except asyncio.QueueFull:
            self._metrics.usage_sent.labels("dropped").inc()

    async def run(self) -> None:
        """Send until cancelled."""
        if self._config.gateway.usage == "http":
            timeout = aiohttp.ClientTimeout(_HTTP_SECONDS)
            async with aiohttp.ClientSession(timeout=timeout) as session:
                await self._send(_Posted(session, self._config.gateway.usage_url))
        while self._config.gateway.usage == "kafka":
            try:
                async with producer_of(self._config.kafka) as producer:
                    await self._send(_Produced(producer, Topics.named(self._config.kafka.topic_prefix).raw))
            except (KafkaError, OSError) as error:
                log.warning("Kafka is not there to take usage", why=type(error).__name__)
                await asyncio.sleep(_LONGEST_PAUSE / 5)

    async def _send(self, way: _Way) -> None:
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < _MOST_AT_ONCE and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            taken = await _persist(way, msgspec.json.encode(batch))
            self._metrics.usage_sent.labels("sent" if taken else "dropped").inc(len(batch))


async def _persist(way: _Way, batch: bytes) -> bool:
    """Try until a batch is taken; False for what nobody will ever take."""
    pause = _FIRST_PAUSE
    while True:
        try:
            await way(batch)
        except aiohttp.ClientResponseError as error:
            if error.status < 500 and error.status != 429:
                log.error("usage was refused", status=error.status)
                return False
        except (KafkaError, aiohttp.ClientError, OSError, TimeoutError) as error:
            log.warning("usage is not taken yet", why=type(error).__name__)
        else:
            return True
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


class _Posted:
    """To the front door; what it takes in part (422) has its good events taken, and its bad ones named there."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url

    async def __call__(self, batch: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        async with self._session.post(self._url, data=batch, headers=headers) as answer:
            if answer.status != 422:
                answer.raise_for_status()


class _Produced:
    """To the topic of raw records."""

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self._producer, self._topic = producer, topic

    async def __call__(self, batch: bytes) -> None:
        await self._producer.send_and_wait(self._topic, batch)
