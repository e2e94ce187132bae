"""Readers of single values, as liberal as real senders need: text or number, with zone or without, absent or null."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import orjson

from streamer.events.formats.base import Names, Rate, Unmappable
from streamer.events.usage import TIER
from streamer.pricing.money import product

# What spreadsheets and exports write where there is nothing.
_NOTHING = ("", "NULL", "null", "None")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# From here on a number of seconds would be thousands of years off, so it is of a smaller unit.
_LATEST_SECONDS = 1e11
_LONGEST_NAME, _MOST_TAGS = 256, 64
# A term, and not words that stand where a provider would have it.
_TIER = re.compile(r"[a-z][a-z_-]{0,31}")


def is_given(value: Any) -> bool:
    """Tell whether a value is there: neither null nor empty, nor how exports spell null."""
    return value is not None and not (isinstance(value, str) and value.strip() in _NOTHING)


def mapping(value: Any) -> Mapping[str, Any]:
    """Give a JSON object, decoded from its text where need be; empty for all else."""
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        value = decoded(value)
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> Sequence[Any]:
    """Give a JSON array, decoded from its text where need be; empty for all else."""
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        value = decoded(value)
    return value if isinstance(value, list) else ()


def decoded(text: str) -> Any:
    """Decode JSON text; None where it is none."""
    try:
        return orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return None


def find(item: Mapping[str, Any], name: str) -> Any:
    """Look up a name as it stands, else its longest beginning that is there and the rest in what is nested there.

    >>> find({"a.b": {"c": 1}}, "a.b.c")
    1
    """
    value = item.get(name)
    if value is not None or "." not in name:
        return value
    for head, rest in _splits(name):
        inner = item.get(head)
        if inner is not None:
            return find(inner if inner.__class__ is dict else mapping(inner), rest)
    return None


@lru_cache(maxsize=4096)
def _splits(name: str) -> tuple[tuple[str, str], ...]:
    """The beginnings of a dotted name, the longest first, each with the rest."""
    words = name.split(".")
    return tuple((".".join(words[:n]), ".".join(words[n:])) for n in range(len(words) - 1, 0, -1))


def first(items: Sequence[Mapping[str, Any]], names: Iterable[str]) -> Any:
    """Give the value of the first of `names` that one of `items` has; None where none has any."""
    for name in names:
        for item in items:
            value = find(item, name)
            if value is not None and (value.__class__ is not str or is_given(value)):
                return value
    return None


def text(value: Any) -> str:
    """Give a name as text, cut where a canonical name must end; empty for what is no name."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float | Decimal) or not is_given(value):
        return ""
    return str(value).strip()[:_LONGEST_NAME]


def owners(items: Sequence[Mapping[str, Any]], names: Names) -> dict[str, Any]:
    """Find tenant, use case, agent, session, user and tags, each by its names; what is not there is left out."""
    found: dict[str, Any] = {
        field: text(first(items, getattr(names, field))) for field in ("tenant", "use_case", "agent", "session", "user")
    }
    found["tags"] = tags(items, names.tags) | tier(items, names.tier)
    return {field: value for field, value in found.items() if value}


def tier(items: Sequence[Mapping[str, Any]], names: Iterable[str]) -> dict[str, str]:
    """Find how a call was served, as a tag; what was asked for and left to the provider ("auto") says nothing of it."""
    for name in names:
        for item in items:
            served = text(find(item, name)).lower()
            if _TIER.fullmatch(served) and served != "auto":
                return {TIER: served}
    return {}


def tags(items: Sequence[Mapping[str, Any]], names: Iterable[str]) -> dict[str, str]:
    """Collect what becomes a tag; where several of `items` have one, the first of them says its value."""
    found: dict[str, str] = {}
    for name in names:
        for item in items:
            entries = mapping(find(item, name[:-2])) if name.endswith(".*") else {name: find(item, name)}
            for key, value in entries.items():
                if (word := text(value)) and len(found) < _MOST_TAGS:
                    found.setdefault(str(key)[:_LONGEST_NAME], word)
    return found


def count(value: Any, what: str) -> int:
    """Read a count, 0 where there is none; raises Unmappable for what is no whole number."""
    if value.__class__ is int:
        return int(value)
    if not is_given(value) or isinstance(value, bool):
        return 0
    try:
        number = Decimal(str(value))
        whole = int(number) if abs(number.adjusted()) < 30 else None
    except (ArithmeticError, ValueError, OverflowError):
        whole = None
    if whole is None or whole != number:
        raise Unmappable("wrong_type", f"{what} is no whole number")
    return whole


def amount(value: Any, what: str) -> Decimal | None:
    """Read a decimal number exactly as it is written, None where there is none; raises Unmappable for what is none."""
    if not is_given(value) or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value).strip())
    except ArithmeticError:
        raise Unmappable("wrong_type", f"{what} is no number") from None
    if not number.is_finite() or abs(number.adjusted()) > 40:
        raise Unmappable("wrong_type", f"{what} is no finite amount within bounds")
    return number


def dollars(given: Decimal | None, currency: Any, at: datetime, rate: Rate) -> Decimal | None:
    """Convert an amount into dollars by the configured rate of its day; raises Unmappable where there is none."""
    code = text(currency).upper() or "USD"
    if code == "USD" or not given:
        return given
    if (usd := rate(code, at.astimezone(UTC).date())) is None:
        named = code if len(code) == 3 and code.isalpha() and code.isascii() else "another currency than USD"
        raise Unmappable("unknown_currency", f"the amount is in {named}, for which no rate is configured")
    return product(given, usd)


def inclusive(tokens: int, read: int, written: int, total: int = 0) -> int:
    """Give all input tokens of a sender that should include cached ones and, as its numbers show, may not.

    They show it where the cached ones are more, or where the `total` of input only adds up with them.
    """
    cached = read + written
    return tokens + cached if cached > tokens or (cached and total == tokens + cached) else tokens


def with_reasoning(output: int, reasoning: int, beyond_input: int) -> int:
    """Give all output tokens of a sender that should include those of reasoning and, as its numbers show, may not.

    xAI and Gemini count reasoning beside the answer. What the total has `beyond_input` shows it, or more reasoning than
    output, unless the total adds up without: what gateways say of reasoning may be an estimate.
    """
    beside = beyond_input == output + reasoning or (reasoning > output and beyond_input != output)
    return output + reasoning if beside else output


def moment(value: Any) -> datetime | None:
    """Read a time: seconds (or milli-, micro-, nanoseconds) since 1970, or ISO text, UTC where it lacks its zone."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    if not is_given(value) or isinstance(value, bool):
        return None
    try:
        if isinstance(value, datetime):
            return _zoned(value)
        return _since_1970(value) if isinstance(value, int | float | Decimal) else _of_text(str(value).strip())
    except (ValueError, OverflowError, ArithmeticError):
        raise Unmappable("impossible_time", "the time is neither a number of seconds nor ISO 8601") from None


def _of_text(value: str) -> datetime:
    if value.isdecimal():
        return _since_1970(int(value))
    return _zoned(datetime.fromisoformat(value.removesuffix("UTC").rstrip()))


def _zoned(at: datetime) -> datetime:
    """Give a time with its zone; raises OverflowError for one that no year in UTC holds."""
    zoned = at if at.tzinfo else at.replace(tzinfo=UTC)
    zoned.astimezone(UTC)
    return zoned


def _since_1970(value: float | Decimal) -> datetime:
    seconds = Decimal(str(value))
    while abs(seconds) >= _LATEST_SECONDS and seconds.is_finite() and seconds.adjusted() < 25:
        seconds /= 1000
    return _EPOCH + timedelta(microseconds=int(round(seconds, 6) * 1_000_000))
