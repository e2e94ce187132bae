"""The usage that the suite produces: every kind of cost, every way in, and anomalies planted among it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any, NamedTuple

import orjson

from streamer.kafka.topics import Topics
from streamer.pricing.money import COST_KINDS

Event = dict[str, Any]
TENANTS = tuple(f"tenant-{number}" for number in range(5))
# What a burst needs to be one, far above whatever the ordinary traffic does in a window.
BURST_TOKENS = 5_000_000
DETECTION = {
    "DETECT__BURST__WARM_UP_SECONDS": "10",
    # A burst is one event here, so that it cannot come in part.
    "DETECT__BURST__LEAST_EVENTS": "1",
    "DETECT__BURST__FLOORS__TOKENS": "1000000",
    "DETECT__BURST__FLOORS__STEPS": "10000",
    "DETECT__BURST__FLOORS__TOOL_CALLS": "10000",
    "DETECT__BURST__FLOORS__REQUESTS": "10000",
    "DETECT__BURST__FLOORS__USD": "10000",
    # What the faults do to the ordinary traffic is no news: only what is planted must be told.
    **{f"DETECT__{judge}__ENABLED": "false" for judge in ("RATIO", "DRIFT", "SILENCE", "BUSYWORK")},
    # Longer than faults in a row may keep every call of a loop from being on time: then it would rightly be two loops.
    "DETECT__LOOP__QUIET_SECONDS": "120",
}


class Known(NamedTuple):
    """An anomaly that must be reported: whose, of what kind, and which series it is about."""

    tenant: str
    kind: str
    series: str


class Sent(NamedTuple):
    """One Kafka record."""

    topic: str
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes | None]] = ()


class Usage:
    """Makes events that are unlike each other, and remembers nothing but their number."""

    def __init__(self, dice: Random) -> None:
        self._dice, self._numbers = dice, count()

    def event(self, at: float, **fields: Any) -> Event:
        """Make an event of any tenant and kind, one in fifty of them late."""
        dice, number = self._dice, next(self._numbers)
        kind = fields.get("kind") or dice.choice(COST_KINDS)
        late = dice.uniform(3, 30) if dice.random() < 0.02 else 0.0
        return {
            "id": f"event-{number}",
            "source": "chaos",
            "time": _moment(at - late),
            "tenant": dice.choice(TENANTS),
            "kind": kind,
            "use_case": kind,
            "agent": f"agent-{dice.randrange(3)}",
            "session": f"session-{dice.randrange(10)}",
            "cost_usd": str(Decimal(dice.randrange(-(10**11), 10**13)).scaleb(-15)),
            **self._amounts(kind, number),
            **fields,
        }

    def _amounts(self, kind: str, number: int) -> Event:
        dice = self._dice
        if kind in ("llm", "evaluation"):
            tokens = {"input_tokens": dice.randrange(100, 2000), "output_tokens": dice.randrange(500)}
            tokens["cache_read_tokens"] = dice.randrange(tokens["input_tokens"])
            return {"provider": "openai", "model": "gpt-4o", "steps": 1, "requests": 1, **tokens}
        if kind == "tool":
            # Never the same arguments twice: if these are seen as a loop, repeats of an id were taken for calls.
            return {"tool": "search", "tool_args_hash": f"args-{number}", "tool_calls": 1, "requests": 0}
        return {"requests": dice.randrange(3), "quantity": str(dice.randrange(1, 9)), "unit": "call"}


class Loop:
    """A session that goes on calling one tool with the same arguments until the run ends."""

    def __init__(self, number: int, dice: Random) -> None:
        self._tenant, self._session, self._dice = dice.choice(TENANTS), f"loop-{number}", dice
        self.known = Known(self._tenant, "loop", f"tenant={self._tenant}/session={self._session}#loop")
        self._next = 0.0

    def calls(self, usage: Usage, at: float) -> Iterator[Event]:
        """Give its next call, if it is time for one."""
        if at >= self._next:
            self._next = at + self._dice.uniform(0.3, 0.6)
            yield usage.event(
                at,
                time=_moment(at),
                kind="tool",
                tenant=self._tenant,
                session=self._session,
                tool_args_hash="always-the-same",
            )


def burst(number: int, usage: Usage, at: float) -> tuple[list[Event], Known]:
    """Make a tenant's quiet history and the burst that follows it, for one record: so none of it can come late.

    The tenant and its use case pass their ceilings with the agent; it is one burst all the same, and told of the agent.
    """
    tenant = f"burst-{number}"
    tokens = [*[1000] * 12, BURST_TOKENS]
    events = [
        usage.event(
            at,
            time=_moment(at - 30 + 2 * window),
            kind="llm",
            tenant=tenant,
            agent="agent-0",
            input_tokens=amount,
            output_tokens=0,
            cache_read_tokens=0,
            cost_usd="0.01",
        )
        for window, amount in enumerate(tokens)
    ]
    return events, Known(tenant, "burst", f"tenant={tenant}/use_case=llm/agent=agent-0#tokens")


def record_of(event: Event, topics: Topics, dice: Random) -> Sent:
    """Write an event for one of the ways in: canonical to usage or raw, or a CloudEvent of either mode to raw."""
    key = event["tenant"].encode()
    rest = {name: value for name, value in event.items() if name not in ("id", "source", "time")}
    attributes = {"specversion": "1.0", "type": "usage", **{name: event[name] for name in ("id", "source", "time")}}
    way = dice.choices(("usage", "raw", "structured", "binary"), (60, 20, 10, 10))[0]
    if way == "structured":
        return Sent(topics.raw, key, orjson.dumps({**attributes, "data": rest}))
    if way == "binary":
        return Sent(topics.raw, key, orjson.dumps(rest), [(f"ce_{n}", v.encode()) for n, v in attributes.items()])
    return Sent(topics.usage if way == "usage" else topics.raw, key, orjson.dumps(event))


def record_of_all(events: list[Event], topics: Topics) -> Sent:
    """Write events of one tenant as one record, which is applied as a whole."""
    return Sent(topics.usage, events[0]["tenant"].encode(), orjson.dumps(events))


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
