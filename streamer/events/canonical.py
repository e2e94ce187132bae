"""The canonical format: the fields of `UsageEvent` themselves, and the checks that types cannot state."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from streamer.events.rejected import Rejected, rejected_by
from streamer.events.usage import NONE, UsageEvent

# The first LLM bill is younger than this; a clock that lost its battery says 1970.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LARGEST_USD = Decimal(10) ** 12
_LOWEST_USD = -LARGEST_USD

# Fields whose text is nobody's prompt or answer.
WORDS = frozenset(UsageEvent.__struct_fields__)

decode_one = msgspec.json.Decoder(UsageEvent).decode
decode_many = msgspec.json.Decoder(list[UsageEvent]).decode


def recognises(item: Mapping[str, Any]) -> bool:
    """Tell whether `item` means to be a canonical event: any of the required fields will do."""
    return "tenant" in item or ("id" in item and "time" in item)


def event_of(fields: Mapping[str, Any], latest: datetime, item: int = 0) -> UsageEvent | Rejected:
    """Build the event that `fields` describe, or say why not.

    `latest` is the last moment at which an event may claim to have happened.
    """
    try:
        event = msgspec.convert(fields, UsageEvent)
    except msgspec.ValidationError as error:
        return rejected_by(error, item)
    return checked(event, latest, item)


def checked(event: UsageEvent, latest: datetime, item: int = 0) -> UsageEvent | Rejected:
    """Apply the checks that the types cannot state: time, cached tokens within input tokens, finite money."""
    if not EARLIEST <= event.time <= latest:
        return Rejected("impossible_time", f"time {event.time.isoformat()} is out of bounds", item)
    cached = event.cache_read_tokens + event.cache_write_tokens
    if cached and cached > event.input_tokens:
        return Rejected("impossible_count", "cached tokens exceed input_tokens, which include them", item)
    if event.cost_usd is not None and not is_money(event.cost_usd):
        return Rejected("wrong_type", "cost_usd is no finite amount under 10**12", item)
    if event.quantity is not NONE and not is_quantity(event.quantity):
        return Rejected("negative_count", "quantity must be finite, and 0 or more", item)
    return event


def is_quantity(amount: Decimal) -> bool:
    """Tell whether so much of anything can have been used."""
    return is_money(amount) and amount >= 0


def is_money(amount: Decimal) -> bool:
    """Tell whether anybody can have paid, or got back, so many dollars."""
    # Compared, not abs(): that rounds, and fails for an exponent beyond the context's.
    return amount.is_finite() and _LOWEST_USD < amount < LARGEST_USD
