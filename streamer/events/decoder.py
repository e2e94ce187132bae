"""Recognises the format of a record, by its headers or its shape, and decodes every event in it."""

import traceback
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from streamer import feedback
from streamer.clock import utc
from streamer.events import canonical
from streamer.events.formats import FORMATS, cloudevents, format_of, parts_of
from streamer.events.formats.base import Context, Names, Outcome, Rate, Unmappable, no_rate
from streamer.events.hashing import argument_hash
from streamer.events.reading import Broken, read
from streamer.events.rejected import Rejected
from streamer.events.skipped import Skipped
from streamer.events.usage import UsageEvent
from streamer.feedback import Feedback

Decoded = UsageEvent | Feedback | Rejected | Skipped
# Beyond what a datetime can hold: a replay knows no present.
_END_OF_TIME = 250_000_000_000.0


# Kafka lets a header have no value, and compiled code insists on what is said here.
Headers = Sequence[tuple[str, bytes | None]]


class Carrier(Protocol):
    """A record as Kafka carries it."""

    value: bytes | None
    headers: Headers


class Decoder:
    """Bytes in, usage events and reasons out; never raises for what a record holds.

    `max_record_bytes` bounds a record; `max_future_seconds` is how far ahead of `now` a sender's clock may be;
    `default_tenant` owns events whose format knows no tenant ("" rejects them); `hash_key` keys the hash of
    tool arguments; `names` says by format where it names tenant, use case and so on, in place of the format's own;
    `rate` gives the dollars of one unit of another currency on a day, None where it knows none; `told_elsewhere` names
    services and hosts whose spans of models' calls are left out, `remote_agents` agents whose spans count. With
    `feedback`, people's feedback is accepted among the events; else it is refused, for whoever may send usage is not to
    say what is no alarm.
    """

    def __init__(
        self,
        *,
        max_record_bytes: int = 8 << 20,
        max_future_seconds: float = 300.0,
        default_tenant: str = "",
        hash_key: str = "",
        feedback: bool = False,
        names: Mapping[str, Names] | None = None,
        rate: Rate = no_rate,
        told_elsewhere: frozenset[str] = frozenset(),
        remote_agents: frozenset[str] = frozenset(),
    ) -> None:
        self._max_record_bytes = max_record_bytes
        self._max_future = max_future_seconds
        self._default_tenant = default_tenant
        self._hash = argument_hash(hash_key)
        self._takes_feedback = feedback
        self._names = {known.name: known.names for known in FORMATS} | dict(names or {})
        self._rate, self._told_elsewhere, self._remote_agents = rate, told_elsewhere, remote_agents

    def decode(self, record: bytes, now: float, headers: Mapping[str, str] | None = None) -> list[Decoded]:
        """Decode one record of any accepted format; `now` in epoch seconds; header names in lower case."""
        if len(record) > self._max_record_bytes:
            return [Rejected("too_large", f"{len(record)} bytes, over the limit of {self._max_record_bytes}")]
        latest, headers = _latest(now + self._max_future), headers or {}
        direct = None if cloudevents.suspects(record, headers) else self._canonical(record, latest)
        return direct or list(self._any(record, headers, latest))

    def decode_run(self, records: Sequence[Carrier], now: float) -> list[tuple[int, Decoded]]:
        """Decode records in a row, as `decode` does each; gives every item with the place of its record in the run."""
        decode, latest = canonical.decode_one, _latest(now + self._max_future)
        found: list[tuple[int, Decoded]] = []
        for place, record in enumerate(records):
            value = record.value or b""
            # Nearly all records are one canonical event: no more is done for them than must be.
            if not record.headers and len(value) <= self._max_record_bytes and cloudevents.MARK not in value:
                try:
                    event = decode(value)
                    if event.input_tokens or event.tool or feedback.MARK not in value:
                        found.append((place, canonical.checked(event, latest)))
                        continue
                except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
                    pass
            found += [(place, item) for item in self._decoded(value, now, record.headers)]
        return found

    def _decoded(self, value: bytes, now: float, headers: Headers) -> list[Decoded]:
        try:
            return self.decode(value, now, headers_of(headers))
        except Exception as error:
            return [Rejected("failed", _where(error))]

    def _canonical(self, record: bytes, latest: datetime) -> list[Decoded] | None:
        """The direct way: one canonical event, or a JSON array of them, all good in type."""
        try:
            events = canonical.decode_many(record) if record[:1] == b"[" else [canonical.decode_one(record)]
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return None
        # Feedback has all that an event must have, and nothing that one would be about.
        if not all(event.input_tokens or event.tool for event in events) and feedback.MARK in record:
            return None
        return [canonical.checked(event, latest, item) for item, event in enumerate(events)]

    def _any(self, record: bytes, headers: Mapping[str, str], latest: datetime) -> Iterator[Decoded]:
        try:
            items = read(record, headers, self._max_record_bytes)
        except Unmappable as why:
            yield Rejected(why.reason, str(why))
            return
        if not items:
            yield Rejected("undecodable", "the record is empty")
            return
        number = 0
        for item in items:
            for decoded in self._of(item, number, latest):
                yield decoded
                number += 1

    def _of(self, item: Any, number: int, latest: datetime) -> Iterator[Decoded]:
        """Decode what is in one item, the first of it at place `number` of the record."""
        known = format_of(item) if isinstance(item, dict) and not feedback.recognises(item) else None
        if known is None:
            yield self._one(item, number, latest)
            return
        elsewhere = self._told_elsewhere, self._remote_agents
        context = Context(self._names[known.name], self._hash, latest, self._rate, *elsewhere)
        parts = parts_of(known, item)
        if isinstance(parts, Rejected):
            yield msgspec.structs.replace(parts, item=number)
            return
        if not parts:
            yield Skipped("no_usage", number)
        for place, outcome in enumerate(known.outcomes(parts, context), number):
            yield self._event(outcome, place, latest)

    def _one(self, item: Any, number: int, latest: datetime) -> Decoded:
        if isinstance(item, Broken):
            return msgspec.structs.replace(item.rejected, item=number)
        if not isinstance(item, dict):
            return Rejected("wrong_type", "an event must be a JSON object", number)
        if feedback.recognises(item):
            return self._word(item, number, latest)
        if not canonical.recognises(item):
            return Rejected("unknown_format", "the fields fit none of the accepted formats", number)
        return canonical.event_of(item, latest, number)

    def _event(self, outcome: Outcome, number: int, latest: datetime) -> Decoded:
        if not isinstance(outcome, dict):
            return msgspec.structs.replace(outcome, item=number)
        if self._default_tenant and not outcome.get("tenant"):
            outcome["tenant"] = self._default_tenant
        return canonical.event_of(outcome, latest, number)

    def _word(self, item: Mapping[str, Any], number: int, latest: datetime) -> Decoded:
        if not self._takes_feedback:
            return Rejected("unknown_format", "feedback is not taken here: it has a topic of its own", number)
        return feedback.addressed(feedback.feedback_of(item, latest, number), number)


def _latest(at: float) -> datetime:
    return utc(at) if at < _END_OF_TIME else datetime.max.replace(tzinfo=UTC)


def headers_of(headers: Headers) -> dict[str, str]:
    """Give a record's headers as text, names in lower case; what is not UTF-8 is left out."""
    found: dict[str, str] = {}
    for name, value in headers or ():
        text = _text(value)
        if text is not None:
            found[name.lower()] = text
    return found


def _where(error: Exception) -> str:
    """Name an error of ours and its place, without the values that its text may carry."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {frame.name}, line {frame.lineno}"


def _text(value: Any) -> str | None:
    try:
        return bytes(value).decode()
    except (UnicodeDecodeError, TypeError, ValueError):
        return None
