"""What a payload tells, worked out from its file alone: nothing here calls the code under test but for its types."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any, NamedTuple

from streamer.events.usage import UsageEvent

KEY = "k"
# Stands for an id that is a hash of what the record is about: 32 hex digits.
HASHED = "hashed"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Dollars of a million tokens, as the providers publish them: fresh input, output, read from the cache, written to it.
_PRICES = {
    "gpt-4o": ("2.5", "10", "1.25", "2.5"),
    "gpt-4o-mini": ("0.15", "0.6", "0.075", "0.15"),
    "o4-mini": ("1.1", "4.4", "0.275", "1.1"),
    "text-embedding-3-small": ("0.02", "0", "0.02", "0.02"),
    "claude-sonnet-4-5": ("3", "15", "0.3", "3.75"),
    "claude-3-5-sonnet": ("3", "15", "0.3", "3.75"),
}


class Told(NamedTuple):
    """An event, where its cost is from (given, computed, unpriced, free), and its dollars."""

    event: UsageEvent
    origin: str
    usd: Decimal


class Refused(NamedTuple):
    """An item that is rejected, and why."""

    reason: str


class LeftOut(NamedTuple):
    """An item that is understood and not counted, and why."""

    cause: str


Expected = Told | Refused | LeftOut


def told(*, listed: str = "", share: str = "1", **fields: Any) -> Told:
    """An event of these fields, priced as the model called `listed` where no cost is given; "" where none is known."""
    event = UsageEvent(**{name: value for name, value in fields.items() if value not in ("", None)})
    if event.cost_usd is not None:
        return Told(event, "given", event.cost_usd)
    if event.kind != "llm" or not listed:
        return Told(
            event, "free" if event.kind == "llm" and event.model and not event.tokens else "unpriced", Decimal(0)
        )
    if not event.tokens:
        return Told(event, "free", Decimal(0))
    fresh, out, read, write = map(Decimal, _PRICES[listed])
    plain = event.input_tokens - event.cache_read_tokens - event.cache_write_tokens
    parts = (plain * fresh, event.output_tokens * out, event.cache_read_tokens * read, event.cache_write_tokens * write)
    return Told(event, "computed", sum(parts, Decimal(0)) / 1_000_000 * Decimal(share))


def hashed(arguments: Any) -> str:
    """The hash of a tool's arguments: BLAKE2b of their JSON, names sorted, keyed."""
    value = json.loads(arguments) if isinstance(arguments, str) else arguments
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return blake2b(text.encode(), key=KEY.encode(), digest_size=16).hexdigest()


def digest(**fields: Any) -> str:
    """The hash that names what a record is about."""
    return blake2b(json.dumps(fields, separators=(",", ":")).encode(), digest_size=16).hexdigest()


def at(microseconds: int) -> datetime:
    """The moment so many microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)


def deep(value: Any, *names: str) -> Any:
    """What is nested under the names; None where nothing is."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
