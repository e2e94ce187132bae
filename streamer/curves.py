"""From the rollups of a tenant to the curve that a judged series went."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import NamedTuple

from alerts.alert import Alert
from alerts.history import History, Sample
from streamer.pricing.money import COST_KINDS, ZERO
from streamer.records import Rollup
from streamer.windows.entity import Entity, Level

_MINUTE, _HOUR = 60.0, 3600.0
Value = Callable[["Total"], float | None]


class Total(NamedTuple):
    """What the rollups of one window come to."""

    start: float
    end: float
    requests: int
    steps: int
    tool_calls: int
    input_tokens: int
    output_tokens: int
    cached: int
    split: dict[str, Decimal]

    @property
    def usd(self) -> float:
        """All dollars."""
        return float(sum(self.split.values(), ZERO))

    @property
    def tokens(self) -> int:
        """All tokens, in and out."""
        return self.input_tokens + self.output_tokens


class _Shape(NamedTuple):
    """How a metric is drawn: its unit, over so many seconds (0: no rate), and what a detector's number is times."""

    unit: str
    per: float
    factor: float
    value: Value


def _ratio(above: float, below: float, factor: float = 1.0) -> float | None:
    return above * factor / below if below else None


_RATES: dict[str, _Shape] = {
    "requests": _Shape("requests a minute", _MINUTE, 0.0, lambda total: total.requests),
    "steps": _Shape("agent steps a minute", _MINUTE, 0.0, lambda total: total.steps),
    "tool_calls": _Shape("tool calls a minute", _MINUTE, 0.0, lambda total: total.tool_calls),
    "tokens": _Shape("tokens a minute", _MINUTE, 0.0, lambda total: total.tokens),
    "usd": _Shape("dollars an hour", _HOUR, 0.0, lambda total: total.usd),
    "calls": _Shape("requests and calls a minute", _MINUTE, 0.0, lambda total: total.requests + total.tool_calls),
}
_SIZE = _Shape("tokens a request", 0.0, 1.0, lambda total: _ratio(total.tokens, total.requests))
# By what stands after the # of a series; of a budget it is told apart by its metric.
_SHAPES: dict[str, _Shape] = {
    **_RATES,
    "drift": _RATES["requests"],
    "sessions": _RATES["requests"],
    "silence": _RATES["calls"],
    "loop": _RATES["calls"],
    "busywork": _RATES["usd"],
    "size": _SIZE,
    "growth": _SIZE,
    "overall": _SIZE,
    "output": _Shape("tokens of output a request", 0.0, 1.0, lambda total: _ratio(total.output_tokens, total.requests)),
    "price": _Shape("dollars a million tokens", 0.0, 1e6, lambda total: _ratio(total.usd, total.tokens, 1e6)),
    "uncached": _Shape(
        "% of input not cached",
        0.0,
        100.0,
        lambda total: _ratio(total.input_tokens - total.cached, total.input_tokens, 100.0),
    ),
    "evaluation": _Shape(
        "% evaluation of the work",
        0.0,
        100.0,
        lambda total: _ratio(
            float(total.split.get("evaluation", ZERO)), total.usd - float(total.split.get("evaluation", ZERO)), 100.0
        ),
    ),
}


class Curve:
    """One judged series (`tenant=acme/use_case=support#requests`): which rollups belong to it, and what they come to.

    >>> Curve("tenant=acme/session=s1#loop").takes(b"tenant=acme/use_case=support/agent=triage/session=s1")
    True
    """

    def __init__(self, series: str) -> None:
        self.series = series
        entity, _, name = series.rpartition("#")
        head, session, named = entity.partition("/session=")
        # A loop is its session's, through whichever agents; the rollups of sessions are an agent's each.
        self._start, self._end = (f"{head}/", session + named) if session else (entity, "")
        self._whole = not session
        metric = name.removeprefix("budget-").removesuffix("-quarter")
        self._shape = _SHAPES.get(metric, _RATES["calls"])

    def takes(self, key: bytes | None) -> bool:
        """Tell whether a rollup with this key belongs to it."""
        text = (key or b"").decode(errors="replace")
        return text == self._start if self._whole else text.startswith(self._start) and text.endswith(self._end)

    def history(self, rollups: Iterable[Rollup], opened_at: float) -> History:
        """Give the curve that rollups come to, and the dollars by kind of cost since `opened_at` (epoch seconds)."""
        totals = _totals(rollups)
        split: dict[str, Decimal] = {}
        for total in totals:
            if total.end > opened_at:
                _add(split, total.split)
        shape = self._shape
        return History(
            unit=shape.unit, per=shape.per, factor=shape.factor, samples=tuple(self._samples(totals)), split=split
        )

    def _samples(self, totals: list[Total]) -> Iterable[Sample]:
        """Give a sample a window; of rates also the windows in which nothing came."""
        before: Total | None = None
        for total in totals:
            if before and self._shape.per:
                size, at = total.end - total.start, before.end
                while at + size <= total.start + size / 2:
                    at += size
                    yield Sample(at, 0.0)
            value = self._shape.value(total)
            if value is not None:
                yield Sample(total.end, self._over(value, total))
            before = total

    def _over(self, value: float, total: Total) -> float:
        return value / (total.end - total.start) * self._shape.per if self._shape.per else value


def holder_of(alert: Alert) -> Curve:
    """Give the curve of whoever holds what an alert is about: its agent, its use case or its tenant."""
    named = {name: alert.labels.get(name, "") for name in ("use_case", "agent")}
    level: Level = "agent" if named["agent"] else "use_case" if named["use_case"] else "tenant"
    return Curve(f"{Entity(level, **named).key(alert.labels['tenant'])}#calls")


def _totals(rollups: Iterable[Rollup]) -> list[Total]:
    """Sum up by window, each record once, however often it was written."""
    once = {(rollup.series, rollup.start, rollup.part): rollup for rollup in rollups}
    found: dict[float, Total] = {}
    for rollup in once.values():
        start = rollup.start.timestamp()
        made = _total(rollup)
        found[start] = _sum(found[start], made) if start in found else made
    return [found[start] for start in sorted(found)]


def _total(rollup: Rollup) -> Total:
    split: dict[str, Decimal] = {kind: rollup.usd_by_kind[kind] for kind in COST_KINDS if kind in rollup.usd_by_kind}
    return Total(
        rollup.start.timestamp(),
        rollup.end.timestamp(),
        rollup.requests,
        rollup.steps,
        rollup.tool_calls,
        rollup.input_tokens,
        rollup.output_tokens,
        rollup.cache_read_tokens,
        split,
    )


def _sum(one: Total, other: Total) -> Total:
    split = dict(one.split)
    _add(split, other.split)
    return Total(
        one.start,
        one.end,
        one.requests + other.requests,
        one.steps + other.steps,
        one.tool_calls + other.tool_calls,
        one.input_tokens + other.input_tokens,
        one.output_tokens + other.output_tokens,
        one.cached + other.cached,
        split,
    )


def _add(into: dict[str, Decimal], split: dict[str, Decimal]) -> None:
    for kind, amount in split.items():
        into[kind] = into.get(kind, ZERO) + amount
