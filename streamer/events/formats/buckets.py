"""Usage and cost APIs give pages of buckets of results: what those of OpenAI and Anthropic have in common."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from streamer.events.formats.base import Context, Item, Unmappable
from streamer.events.formats.identity import identity_of
from streamer.events.formats.values import listed, mapping, moment, owners, text

# Results may be counted again under the same names, amounts and counts changed: that is the same bucket, sent again.
_AMOUNTS = ("amount", "list_amount", "quantity")


class Result(NamedTuple):
    """One result, with the beginning and the end of its bucket as they were spelled."""

    start: Any
    end: Any
    result: Mapping[str, Any]


def is_bucket(item: Any, start: str) -> bool:
    """Tell whether `item` is a bucket whose beginning is called `start`."""
    return isinstance(item, Mapping) and start in item and isinstance(item.get("results"), list)


def is_page(item: Item, start: str) -> bool:
    """Tell whether `item` is a page of such buckets."""
    data = item.get("data")
    return isinstance(data, list) and bool(data) and is_bucket(data[0], start)


def results_of(start: str, end: str) -> Callable[[Item], Sequence[Result]]:
    """Give a function that lists the results of a page or a bucket."""

    def parts(item: Item) -> Sequence[Result]:
        buckets = listed(item.get("data")) if "data" in item else [item]
        return [
            Result(bucket.get(start), bucket.get(end), mapping(result))
            for bucket in map(mapping, buckets)
            for result in listed(bucket.get("results"))
        ]

    return parts


def kept(part: Result) -> dict[str, Any]:
    """Give what a dead letter may hold of a result."""
    return {"start": part.start, "end": part.end, **part.result}


def fields_of(part: Result, context: Context, source: str) -> dict[str, Any]:
    """Give the fields that all results have: id, time, who, which model."""
    result, start = part.result, moment(part.start)
    if _is_open(moment(part.end), context):
        raise Unmappable("impossible_time", "the bucket is not over: send it when it is")
    named = {name: value for name, value in result.items() if isinstance(value, str | bool) and name not in _AMOUNTS}
    return {
        "id": identity_of({**named, "bucket": [start, moment(part.end)]}),
        "source": source,
        "time": start,
        "model": text(result.get("model")),
        "api_key": text(result.get("api_key_id")),
        **owners([result], context.names),
    }


def _is_open(end: datetime | None, context: Context) -> bool:
    return end is not None and end > context.latest


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is not there."""
    return {name: value for name, value in fields.items() if value not in (None, "")}
