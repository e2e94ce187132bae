"""The ledger: what each part of each tenant used and cost a day, for showback, chargeback and the tables."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import NamedTuple

from streamer.events.usage import UsageEvent
from streamer.pricing.book import Cost

_DAY = 86_400
# Events are in UTC by the time they are here.
_EPOCH = date(1970, 1, 1).toordinal()
_NOBODY = ("", "", "")


class Key(NamedTuple):
    """Who used what on which day (whole days since the epoch, UTC). `kind` is that of the usage events."""

    day: int
    tenant: str
    use_case: str
    agent: str
    provider: str
    model: str
    kind: str
    cost_centre: str
    team: str
    environment: str


class Charge(NamedTuple):
    """A key and its sums, dollars in femtodollars: all of them, and those of them that senders gave."""

    key: Key
    femtodollars: int
    events: int
    requests: int
    steps: int
    tool_calls: int
    outcomes: int
    errors: int
    unpriced: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    femtodollars_given: int


SUMS = Charge._fields[1:]


class Charges:
    """Sums up what the Pipeline counts. Rows of one key add up: what comes late makes another one."""

    def __init__(self) -> None:
        self._sums: dict[tuple[int | str, ...], list[int]] = {}

    def add(self, event: UsageEvent, cost: Cost) -> None:
        """Take in one event that was counted, and its cost."""
        tags = event.tags
        key = (
            event.time.toordinal() - _EPOCH,
            event.tenant,
            event.use_case,
            event.agent,
            event.provider,
            event.model,
            event.kind,
            *(_owners(tags) if tags else _NOBODY),
        )
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = [0] * len(SUMS)
        sums[1] += 1
        if event.kind == "outcome":
            sums[5] += 1
        elif cost[0]:
            sums[0] += cost[0]
            if cost[1] == "given":
                sums[13] += cost[0]
        elif cost[1] == "unpriced":
            sums[7] += 1
        if event.requests:
            sums[2] += event.requests
        if event.steps:
            sums[3] += event.steps
        if event.tool_calls:
            sums[4] += event.tool_calls
        if event.status == "error":
            sums[6] += 1
        # They hold those that were cached.
        if event.input_tokens:
            sums[8] += event.input_tokens
            sums[10] += event.cache_read_tokens
            sums[11] += event.cache_write_tokens
        if event.output_tokens:
            sums[9] += event.output_tokens
        if event.reasoning_tokens:
            sums[12] += event.reasoning_tokens

    def before(self, day: int) -> Iterator[Charge]:
        """Hand over what belongs to days before `day`, in order."""
        for key in sorted(key for key in self._sums if key[0] < day):  # type: ignore[operator]
            yield Charge(Key(*key), *self._sums.pop(key))  # type: ignore[arg-type]


def day_of(at: float) -> int:
    """Give the day of a moment (epoch seconds)."""
    return int(at // _DAY)


def date_of(day: int) -> date:
    """Give a day as a date."""
    return date.fromordinal(day + _EPOCH)


def _owners(tags: Mapping[str, str]) -> tuple[str, str, str]:
    """Give the tags that bills are split by, in whichever spelling they came."""
    get = tags.get
    return get("cost_centre") or get("cost_center", ""), get("team", ""), get("environment") or get("env", "")
