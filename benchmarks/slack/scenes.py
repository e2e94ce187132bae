"""The incidents of the pictures: made up, told as the worker tells them."""

import math
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from alerts.alert import Alert, Cause, Label
from alerts.history import History, Sample
from alerts.incident import Incident
from alerts.showback import Report, Row

START = datetime(2026, 11, 22, 9, 41, 20, tzinfo=UTC)


def loop() -> tuple[Incident, History]:
    """An agent that repeats one call for ever, twenty seconds after it was known."""
    labels: dict[Label, str] = {
        "tenant": "acme",
        "use_case": "support",
        "agent": "triage",
        "session": "s-20418",
        "tool": "search_orders",
        "kind": "loop",
    }
    alert = _alert(
        labels,
        "critical",
        series="tenant=acme/session=s-20418#loop",
        observed=31,
        expected=1,
        usd=("2.01", "362.46"),
        reason="search_orders called 31 times with the same arguments in 24 s",
        after=20,
    )
    told = incident(alert)
    told.note("told gateways to pause tenant=acme/session=s-20418 until 09:56:20 UTC, renewed while it goes on")
    told.note("gateway eu-1: applied at 09:41:21 UTC")
    told.commands = ["tenant=acme/session=s-20418"]
    calls = [2, 0, 1, 3, 0, 0, 2, 1, 2, 0, 1, 2, 14, 31]
    samples = _windows(calls, 10, 6, until=20)
    return told, History(
        unit="requests and calls a minute",
        per=60,
        samples=samples,
        split=_split(llm="1.61", tool="0.28", vector="0.12"),
    )


def burst() -> tuple[Incident, History]:
    """A tenant that sends twelve times its usual requests, seven minutes on."""
    labels: dict[Label, str] = {"tenant": "globex", "use_case": "research", "kind": "burst"}
    alert = _alert(
        labels,
        "warning",
        series="tenant=globex/use_case=research#usd",
        observed=0.62,
        expected=0.05,
        seconds=10,
        ceiling=0.19,
        usd=("23.40", "201.10"),
        reason="$0.6200 in 10 s, 12.4 times the usual $0.0500 (84% agent planner, 71% model claude-opus-4)",
        causes=(
            Cause("agent", "planner", 0.84),
            Cause("model", "claude-opus-4", 0.71),
            Cause("tool", "web_fetch", 0.22),
        ),
        after=420,
    )
    told = incident(alert)
    told.note("suggests to limit rate tenant=globex/use_case=research until 09:56:20 UTC")
    rng = random.Random(7)
    usual = [18 * (1 + 0.25 * math.sin(n / 9)) * rng.uniform(0.7, 1.3) for n in range(180)]
    high = [rng.uniform(180, 250) for _ in range(41)]
    samples = _windows([*usual, 96, *high], 10, 1, until=420)
    return told, History(
        unit="dollars an hour",
        per=3600,
        samples=samples,
        split=_split(llm="14.60", tool="3.10", evaluation="4.20", saas="1.50"),
    )


def budget() -> tuple[Incident, History]:
    """A use case that has crossed the soft line of its month's budget."""
    labels: dict[Label, str] = {"tenant": "initech", "use_case": "contracts", "kind": "budget", "line": "soft"}
    alert = _alert(
        labels,
        "warning",
        series="tenant=initech/use_case=contracts#budget-usd",
        observed=1604.2,
        expected=2000,
        usd=("0", "7.90"),
        reason="80% of November's budget of $2,000 is used up on day 22 (soft line); at the pace of the last "
        "24 hours it is exhausted on 25 November",
        after=0,
    )
    rng = random.Random(3)
    samples = _windows([7.9 * rng.uniform(0.5, 1.5) for _ in range(60)], 30, 1, until=0)
    return incident(alert), History(
        unit="dollars an hour", per=3600, samples=samples, split=_split(llm="0.04", human_review="0.06")
    )


def storm() -> tuple[Incident, History]:
    """A price that rose for everybody: fifty tenants of as many owners, of whom the default owner hears."""
    names = ("acme", "globex", "initech", "hooli", "umbrella", *(f"tenant-{number}" for number in range(6, 51)))
    alerts = [
        _alert(
            {"tenant": name, "use_case": "support", "kind": "mix"},
            "warning",
            series=f"tenant={name}/use_case=support#price",
            observed=0.031,
            expected=0.010,
            usd=(f"{9 / (place + 1):.2f}", f"{118 / (place + 1):.2f}"),
            reason="tokens cost 3.1 times the usual: claude-opus-4 took over from claude-haiku-4",
            causes=(Cause("model", "claude-opus-4", 0.93),),
            after=60,
        )
        for place, name in enumerate(names)
    ]
    told = incident(*alerts)
    told.owner, told.storm = "finops", True
    told.owners, told.stands_in = [f"{name}-team" for name in names[9:]], len(names[9:])
    samples = _windows([*(4.0 for _ in range(30)), 5, 19, 38, 41, 40, 43, 42], 10, 10, until=60)
    return told, History(unit="dollars an hour", per=3600, samples=samples, split=_split(llm="38.10", tool="0.90"))


def showback() -> Report:
    """A day of one tenant, and the day before."""
    use_cases = [("support", "612.40", "402.10"), ("contracts", "231.05", "239.90"), ("search", "88.60", "71.30")]
    agents = [
        ("support · triage", "441.20", "118.70"),
        ("contracts · reader", "180.10", "181.60"),
        ("support · answers", "171.20", "283.40"),
        ("search · ranker", "88.60", "71.30"),
        ("contracts · drafts", "50.95", "58.30"),
    ]
    kinds = [
        ("llm", "571.30", "398.00"),
        ("tool", "142.15", "120.20"),
        ("vector", "36.20", "35.10"),
        ("evaluation", "118.40", "96.00"),
        ("human_review", "64.00", "64.00"),
        ("saas", "0", "0"),
    ]
    return Report(
        whose="acme",
        span="day",
        when="on Saturday, 21 November",
        dates="2026-11-21",
        total=_row("", "932.05", "713.30"),
        kinds=[_row(*row) for row in kinds],
        use_cases=[_row(*row) for row in use_cases],
        agents=[_row(*row) for row in agents],
        budgets=["acme · support: $612.40, 186% of the even pace of the month's budget of $10,000"],
        causes=[
            "$188.02 acme · support · triage, loop: search_orders called 612 times with the same arguments in 18 min",
            "$41.70 acme · search, burst: $0.4100 in 10 s, 6.1 times the usual $0.0670",
        ],
        saved=Decimal("342.10"),
    )


def _row(name: str, usd: str, before: str) -> Row:
    return Row(name, Decimal(usd), Decimal(before))


def over(told: Incident) -> Incident:
    """The same incident, back to normal eleven minutes later."""
    main = told.main
    at = START + timedelta(minutes=11)
    told.take(_changed(main, state="closed", updated_at=at, closed_at=at, usd_per_hour=Decimal(0)))
    told.note("released tenant=acme/session=s-20418 at 09:52:20 UTC")
    told.commands = []
    return told


def incident(*alerts: Alert) -> Incident:
    """An incident that has taken in these alerts."""
    first = alerts[0]
    made = Incident(id="4f2a6c1e9b03d857", receiver="finops", group={}, opened_at=START, updated_at=START)
    made.owner = f"{first.labels['tenant']}-finance"
    for alert in (_changed(first, updated_at=START), *alerts):
        made.take(alert)
    return made


def _alert(labels: Mapping[Label, str], severity: Any, *, usd: tuple[str, str], after: float, **fields: Any) -> Alert:
    return Alert(
        id=f"{labels['tenant']}-1",
        state="opened",
        severity=severity,
        labels={**labels, "severity": severity},
        detector="rate",
        opened_at=START,
        updated_at=START + timedelta(seconds=after),
        usd_excess=Decimal(usd[0]),
        usd_per_hour=Decimal(usd[1]),
        **fields,
    )


def _changed(alert: Alert, **fields: Any) -> Alert:
    return msgspec.structs.replace(alert, **fields)


def _windows(values: Sequence[float], seconds: float, times: float, *, until: float) -> tuple[Sample, ...]:
    last = START.timestamp() + until
    return tuple(Sample(last - (len(values) - 1 - n) * seconds, value * times) for n, value in enumerate(values))


def _split(**usd: str) -> dict[str, Decimal]:
    return {kind: Decimal(amount) for kind, amount in usd.items()}
