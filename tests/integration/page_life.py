"""A moment's life of a few tenants, as the topics hold it: for the page to show."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import msgspec

from alerts.throttle.command import CommandReason, CommandScope
from streamer.clock import utc
from streamer.periods import bounds
from streamer.records import Anomaly, BudgetStanding, Cause, Rollup, Usual
from streamer.windows.entity import Entity
from tests.streamer.page.build import ack, anomaly, command, incident, rollup

Records = list[tuple[str, bytes]]
BUDGETS = '[{"tenant": "acme", "limit": 2000}, {"tenant": "globex", "use_case": "code", "limit": 150}]'
HOSTILE = '<img src=# onerror="document.title=1">'
_REASON = "$1.8500 in 10 s, 7.4 times the usual $0.2500"
_BUDGET = (
    "85% of November's budget of $150 is used up on day 22 (soft line);"
    " at the pace of the last 24 hours it is exhausted on 26 November"
)
_One = tuple[str, float, str, str, str, float]
#: Tenant, dollars a window, use case, agent, model, and the share that is not for tokens.
_WHO: tuple[_One, ...] = (
    ("acme", 0.21, "support", "triage", "gpt-4o", 0.2),
    ("globex", 0.13, "code", "completion", "gpt-4o-mini", 0.05),
    ("initech", 0.17, "research", "researcher", "claude-sonnet-4-5", 0.3),
    (HOSTILE, 0.01, HOSTILE, HOSTILE, HOSTILE, 0.0),
)
_WINDOWS, _SIZE, _RUNS_AWAY = 58, 10, 49


def life(now: float, *, hostile: bool = True) -> list[tuple[str, Records]]:
    """Ten minutes of spend, an incident that is open and one that is over, a command, a budget, a silent source.

    `hostile`: one of the tenants has a name that bites.
    """
    since = utc(now - 95)
    why = CommandReason("b", "rate", _REASON, 1.85, 0.25, "576.00")
    limit = command(
        scope=CommandScope("acme", "support", "triage"),
        reason=why,
        action="limit_rate",
        params={"requests_per_minute": 60},
        issued_at=utc(now - 93),
        expires_at=utc(now + 800),
    )
    incidents = (
        incident("b", "acme", usd="15.20", per_hour="576.00", at=since, reason=_REASON),
        incident("o", "initech", over=True, usd="12.07", at=since),
        incident("h", HOSTILE, usd="0.02", per_hour="0.40", at=since, severity="info"),
    )
    times = {"opened_at": since, "updated_at": utc(now)}
    bites = (
        [anomaly(f"h.{HOSTILE}", HOSTILE, series=f"{Entity('tenant').key(HOSTILE)}#usd", **times)] if hostile else []
    )
    anomalies = [*_anomalies(**times), *bites]
    spend = _spend(now - now % _SIZE - _SIZE * (_WINDOWS + 2), _WHO if hostile else _WHO[:-1])
    return [
        ("rollups", [(one.series, encoded(one)) for one in spend]),
        ("anomalies", [(one.tenant, encoded(one)) for one in anomalies]),
        ("alerts", [(one.id, encoded(one)) for one in incidents[: 3 if hostile else 2]]),
        ("budgets", [(one.series, encoded(one)) for one in _budgets(now)]),
        ("throttle", [(limit.scope.key(), encoded(limit))]),
        ("throttle-acks", [("x", encoded(ack("c1", gateway, at=utc(now - 92)))) for gateway in ("edge-eu", "edge-us")]),
    ]


def encoded(one: Any) -> bytes:
    """A record as it is written."""
    return msgspec.json.encode(one)


def _spend(begin: float, who: tuple[_One, ...]) -> Iterator[Rollup]:
    for number in range(_WINDOWS):
        start = utc(begin + _SIZE * number)
        times = {"start": start, "end": start + timedelta(seconds=_SIZE)}
        wave = 1 + 0.35 * Random(number).random()
        for one in who:
            factor = wave * (7.5 if one[0] == "acme" and number >= _RUNS_AWAY else 1)
            flaws = {"unpriced": int(number == 9), "repeats": 3 * (number == 20)}
            yield from _of_all_levels(one, factor, **times, **flaws)


def _of_all_levels(one: _One, factor: float, **fields: Any) -> Iterator[Rollup]:
    tenant, usual, use_case, agent, model, share = one
    usd = usual * factor
    parts = {"llm": 1 - share, "tool": share * 0.6, "evaluation": share * 0.4}
    split = {kind: f"{usd * part:.6f}" for kind, part in parts.items() if part}
    entities: tuple[dict[str, Any], ...] = (
        {"level": "tenant"},
        {"level": "use_case", "use_case": use_case},
        {"level": "agent", "use_case": use_case, "agent": agent},
        {"level": "model", "model": model},
    )
    counts = {"requests": round(usd * 200), "input_tokens": round(usd * 40_000), "events": 50}
    for entity in entities:
        more = {} if entity["level"] == "model" else {"usual": _usual(usual)}
        yield rollup(tenant, f"{usd:.6f}", usd_by_kind=split, **counts, **fields, **entity, **more)


def _usual(usd: float) -> dict[str, Usual]:
    scales = {"usd": 1.17, "requests": 234.0, "tokens": 46_800.0}
    return {name: Usual(usd * k * 0.7, usd * k, usd * k * 1.5, usd * k * 3.2) for name, k in scales.items()}


def _budgets(now: float) -> Iterator[BudgetStanding]:
    start, end = bounds("month", now)
    month: dict[str, Any] = {
        "metric": "usd",
        "period": "month",
        "start": utc(start),
        "end": utc(end),
        "at": utc(now - 25),
    }
    for tenant, use_case, limit, used, burn, out in (
        ("acme", "", 2000, 703.2, 9.4, 0),
        ("globex", "code", 150, 127.5, 1.9, 0.4),
    ):
        series = f"tenant={tenant}{f'/use_case={use_case}' if use_case else ''}#budget-usd"
        yield BudgetStanding(
            series=series,
            tenant=tenant,
            use_case=use_case,
            limit=Decimal(limit),
            soft=Decimal(limit) * 4 / 5,
            used=Decimal(str(used)),
            burn=burn,
            pace_seconds=86_400.0,
            exhausted_at=utc(now + out * (end - now)) if out else None,
            line="soft" if used > limit * 0.8 else "",
            **month,
        )


def _anomalies(**times: Any) -> Iterator[Anomaly]:
    causes = (Cause("agent", "triage", 0.97), Cause("model", "gpt-4o", 0.97), Cause("session", "s-20261122-0417", 0.88))
    usual: dict[str, Any] = {"observed": 1.85, "expected": 0.25, "ceiling": 0.9, "causes": causes}
    yield anomaly("b.acme", series="tenant=acme#usd", **usual, **times)
    used: dict[str, Any] = {"observed": 127.5, "expected": 150.0, "seconds": 0.0, "line": "soft", "reason": _BUDGET}
    yield anomaly("bu", "globex", kind="budget", series="tenant=globex/use_case=code#budget-usd", **used, **times)
    yield anomaly("si", "umbrella", kind="silence", series="tenant=umbrella#silence", **times)
