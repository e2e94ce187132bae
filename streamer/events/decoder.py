"""Recognises the format of a record, by its headers or its shape, and decodes every event in it."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import orjson

from streamer.events import canonical, cloudevents, litellm
from streamer.events.hashing import argument_hash
from streamer.events.rejected import Rejected, rejected_by
from streamer.events.usage import UsageEvent

Decoded = UsageEvent | Rejected


class Decoder:
    """Bytes in, usage events and reasons out; never raises for what a record holds.

    `max_record_bytes` bounds a record; `max_future_seconds` is how far ahead of `now` a sender's clock may be;
    `default_tenant` owns events whose format knows no tenant ("" rejects them); `hash_key` keys the hash of
    tool arguments.
    """

    def __init__(
        self,
        *,
        max_record_bytes: int = 8 << 20,
        max_future_seconds: float = 300.0,
        default_tenant: str = "",
        hash_key: str = "",
    ) -> None:
        self._max_record_bytes = max_record_bytes
        self._max_future = max_future_seconds
        self._default_tenant = default_tenant
        self._hash = argument_hash(hash_key)

    def decode(self, record: bytes, now: float, headers: Mapping[str, str] | None = None) -> list[Decoded]:
        """Decode one record of any accepted format; `now` in epoch seconds; header names in lower case."""
        if len(record) > self._max_record_bytes:
            return [Rejected("too_large", f"{len(record)} bytes, over the limit of {self._max_record_bytes}")]
        latest, headers = now + self._max_future, headers or {}
        direct = None if cloudevents.suspects(record, headers) else self._canonical(record, latest)
        return direct or list(self._any(record, headers, latest))

    def _canonical(self, record: bytes, latest: float) -> list[Decoded] | None:
        """The fast path: one canonical event, or a JSON array of them, all good in type."""
        try:
            events = canonical.decode_many(record) if record[:1] == b"[" else [canonical.decode_one(record)]
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return None
        return [canonical.checked(event, latest, item) for item, event in enumerate(events)]

    def _any(self, record: bytes, headers: Mapping[str, str], latest: float) -> Iterator[Decoded]:
        try:
            items = list(_items(record, headers))
        except (ValueError, RecursionError) as error:
            yield Rejected("undecodable", f"not JSON: {error}")
            return
        if not items:
            yield Rejected("undecodable", "the record is empty")
        for number, item in enumerate(items):
            yield self._one(item, number, latest)

    def _one(self, item: Any, number: int, latest: float) -> Decoded:
        if isinstance(item, Rejected):
            return msgspec.structs.replace(item, item=number)
        if not isinstance(item, dict):
            return Rejected("wrong_type", "an event must be a JSON object", number)
        try:
            fields = self._fields(item)
        except (ValueError, TypeError, RecursionError, AttributeError) as error:
            return Rejected("wrong_type", str(error), number)
        if fields is None:
            return Rejected("unknown_format", "the fields fit none of the accepted formats", number)
        return canonical.event_of(fields, latest, number)

    def _fields(self, item: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if cloudevents.recognises(item):
            return self._owned(cloudevents.fields_of(item))
        if litellm.recognises(item):
            return self._owned(litellm.fields_of(item, self._hash))
        return item if canonical.recognises(item) else None

    def _owned(self, fields: dict[str, Any]) -> dict[str, Any]:
        if self._default_tenant and not fields.get("tenant"):
            fields["tenant"] = self._default_tenant
        return fields


def _items(record: bytes, headers: Mapping[str, str]) -> Iterator[Any]:
    """One item, a JSON array, or NDJSON, where each line stands or falls alone."""
    binary = cloudevents.structured(headers, record)
    if binary is not None:
        yield binary
        return
    try:
        whole = orjson.loads(record)
    except orjson.JSONDecodeError:
        lines = [line for line in record.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        yield from map(_line, lines)
        return
    yield from whole if isinstance(whole, list) else [whole]


def _line(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return rejected_by(msgspec.DecodeError(f"malformed line: {error}"))
