"""What happens to a record that is no usage event: a named reason, for the dead letter and the metric."""

import re
from typing import Literal

import msgspec

Reason = Literal[
    "undecodable",  # neither JSON nor another encoding that is known, or broken
    "too_large",  # over events.max_record_bytes, packed or unpacked, or of more items than are read of one record
    "unknown_format",  # it can be read, but is of no format that is accepted
    "missing_id",
    "missing_tenant",
    "missing_time",
    "missing_field",
    "wrong_type",
    "negative_count",
    "impossible_count",  # cached tokens exceed the input tokens that contain them, or a count over 2**53
    "unknown_currency",  # an amount in another currency than dollars, for which no rate is configured
    "impossible_time",  # before the year 2000, or further ahead than events.max_future_seconds
    "not_allowed",  # whoever it is from is not named in the configuration's `trust`
    "forbidden_tenant",  # not one of those for which the token of the front door may send
    "failed",  # an error of ours; the log has the traceback
]

_MISSING = re.compile(r"missing required field `(\w+)`")
# An unknown name in an enumeration is the one value that msgspec repeats, in quotes of either kind.
_VALUE = re.compile(r"""(['"]).*\1""", re.DOTALL)
_EMPTY = re.compile(r"(?:length >= 1|got `null`) - at `\$\.(id|tenant|time)`")


class Rejected(msgspec.Struct, frozen=True):
    """Why one item of a record was refused; `item` is its place in a batch. Never carries values."""

    reason: Reason
    detail: str
    item: int = 0


def rejected_by(error: Exception, item: int = 0) -> Rejected:
    """Name the reason behind a validation error of msgspec, without the values that it may carry."""
    detail = _VALUE.sub("(value removed)", str(error))
    return Rejected(_reason(detail), detail, item)


def _reason(detail: str) -> Reason:
    if found := _MISSING.search(detail) or _EMPTY.search(detail):
        return _missing(found[1])
    if ">= 0" in detail:
        return "negative_count"
    if "<= 9007199254740992" in detail or "out of range" in detail:
        return "impossible_count"
    if "RFC3339" in detail or "timezone" in detail:
        return "impossible_time"
    if "malformed" in detail or "truncated" in detail or "UTF-8" in detail:
        return "undecodable"
    return "wrong_type"


def _missing(field: str) -> Reason:
    named: dict[str, Reason] = {"id": "missing_id", "tenant": "missing_tenant", "time": "missing_time"}
    return named.get(field, "missing_field")
