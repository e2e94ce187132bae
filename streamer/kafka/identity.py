"""Which topic a name means now: its id and partition count, so that one that was made anew is noticed.

Kafka tells ids since version 10 of its metadata request. aiokafka speaks version 5: the later one is spelled out.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

from streamer.config import KafkaConfig
from streamer.kafka.checkpoint import Topic
from streamer.kafka.connection import aiokafka_settings

_METADATA, _VERSION = 3, 11
# Kafka's operations by their place in its bit fields, and its sign for fields that are not filled.
_OPERATIONS = {"read": 3, "write": 4, "create": 5, "delete": 6, "alter": 7, "describe": 8}
_NOT_TOLD = -(2**31)
_UUID = (("high", Int64), ("low", Int64))


class _Response(Response):  # type: ignore[misc] # aiokafka is not typed
    API_KEY, API_VERSION = _METADATA, _VERSION
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                *_UUID,
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _Struct(RequestStruct):  # type: ignore[misc] # aiokafka is not typed
    API_KEY, API_VERSION, RESPONSE_TYPE, FLEXIBLE_VERSION = _METADATA, _VERSION, _Response, True
    SCHEMA = Schema(
        ("topics", CompactArray(*_UUID, ("name", CompactString("utf-8")), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_Struct]):  # type: ignore[misc] # aiokafka is not typed
    API_KEY = _METADATA

    def __init__(self, topics: Iterable[str], operations: bool) -> None:
        self._topics: list[Any] = [(0, 0, topic, {}) for topic in topics]
        self._operations = operations

    def build(self, request_struct_class: type[_Struct]) -> _Struct:
        return request_struct_class(self._topics, False, self._operations, {})


async def identified(kafka: KafkaConfig, topics: Iterable[str]) -> dict[str, Topic]:
    """Look topics up; those that do not exist are left out, and all of them where the broker is too old to tell."""
    return {found["name"]: _topic(found) for found in await _described(kafka, topics)}


async def permitted(kafka: KafkaConfig, topics: Iterable[str]) -> dict[str, frozenset[str]]:
    """Say what we may do to topics (read, write, ...); those of which the broker does not tell are left out."""
    described = await _described(kafka, topics, operations=True)
    return {found["name"]: _operations(found["authorized_operations"]) for found in described if _tells(found)}


async def _described(kafka: KafkaConfig, topics: Iterable[str], *, operations: bool = False) -> list[dict[str, Any]]:
    client = AIOKafkaClient(**aiokafka_settings(kafka))
    try:
        await client.bootstrap()
        answer = (await client.send(client.get_random_node(), _MetadataRequest(topics, operations))).to_object()
    except (IncompatibleBrokerVersion, NotImplementedError):
        return []
    finally:
        await client.close()
    return [found for found in answer["topics"] if not found["error_code"]]


def _tells(found: dict[str, Any]) -> bool:
    return bool(found["authorized_operations"] not in (0, _NOT_TOLD))


def _operations(bits: int) -> frozenset[str]:
    return frozenset(name for name, place in _OPERATIONS.items() if bits >> place & 1)


def _topic(found: dict[str, Any]) -> Topic:
    number = (found["high"] % 2**64) << 64 | found["low"] % 2**64
    return Topic(UUID(int=number).hex if number else "", len(found["partitions"]))
