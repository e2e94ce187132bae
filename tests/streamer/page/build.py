"""Records for the page's tests, with as little said as a test needs."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from alerts.alert import Alert, Severity
from alerts.incident import Incident
from alerts.throttle.command import Ack, Command, CommandReason, CommandScope
from streamer.config import PageConfig
from streamer.kafka.topics import Topics
from streamer.page.state import PageState
from streamer.records import Anomaly, BudgetStanding, Cause, Rollup, Scope
from streamer.windows.entity import Entity
from tests.streamer.samples import NOON, NOW

TOPICS = Topics.named("t.")
WINDOW = 10.0
#: Late enough for a window that begins at NOON to be over.
LATER = NOW + 60


def state(**page: Any) -> PageState:
    """An empty state; `page` are settings."""
    return PageState(PageConfig(**{"history_seconds": 600, "rate_seconds": 20, **page}), WINDOW, TOPICS)


def rollup(tenant: str = "acme", usd: str = "1", *, at: float = 0.0, part: int = 0, **fields: Any) -> Rollup:
    """A window of ten seconds that begins `at` seconds after NOON."""
    names = {name: fields.pop(name) for name in ("use_case", "agent", "model", "session") if name in fields}
    entity = Entity(fields.pop("level", "tenant"), **names)
    counts = dict.fromkeys(Rollup.__struct_fields__[9:20], 0)
    known: dict[str, Any] = {
        **counts,
        "series": entity.key(tenant),
        "level": entity.level,
        "tenant": tenant,
        "scope": Scope(**names),
        "start": NOON + timedelta(seconds=at),
        "end": NOON + timedelta(seconds=at + WINDOW),
        "late": part > 0,
        "part": part,
        "events": 1,
        "usd": Decimal(usd),
        "usd_by_kind": {"llm": Decimal(usd)},
    }
    return Rollup(**{**known, **fields})


def anomaly(name: str = "i1.acme", tenant: str = "acme", **fields: Any) -> Anomaly:
    """An open burst of a tenant's requests."""
    known: dict[str, Any] = {
        "id": name,
        "kind": "burst",
        "tenant": tenant,
        "scope": Scope(),
        "series": f"tenant={tenant}#requests",
        "detector": "rate",
        "opened_at": NOON,
        "updated_at": NOON,
        "severity": "critical",
        "observed": 120.0,
        "expected": 20.0,
        "ceiling": 60.0,
        "seconds": WINDOW,
        "score": 0.9,
        "reason": "120 requests in 10 s",
        "causes": (Cause("agent", "triage", 0.9),),
    }
    return Anomaly(**{**known, **fields})


def incident(
    name: str = "i1",
    *tenants: str,
    at: datetime = NOON,
    over: bool = False,
    usd: str = "2.50",
    per_hour: str = "90",
    severity: Severity = "critical",
    reason: str = "120 requests in 10 s",
) -> Incident:
    """An incident since `at` with an alert of each tenant (acme's alone, if none is named)."""
    made = Incident(id=name, receiver="r", group={"kind": "burst"}, opened_at=at, updated_at=at)
    for tenant in tenants or ("acme",):
        made.take(
            Alert(
                id=f"{name}.{tenant}",
                state="closed" if over else "opened",
                severity=severity,
                labels={"tenant": tenant, "agent": "triage", "kind": "burst"},
                detector="rate",
                opened_at=at,
                updated_at=at,
                closed_at=at if over else None,
                observed=120,
                expected=20,
                usd_excess=Decimal(usd),
                usd_per_hour=Decimal(per_hour),
                reason=reason,
            )
        )
    return made


def command(generation: int = 1, tenant: str = "acme", seconds: float = 900.0, **fields: Any) -> Command:
    """A pause of a tenant's agent for incident i1, in force for `seconds` after NOON."""
    known: dict[str, Any] = {
        "id": f"c{generation}",
        "scope": CommandScope(tenant, "", "triage"),
        "action": "pause",
        "mode": "enforce",
        "reason": CommandReason("i1", "rate", "120 requests in 10 s", 120, 20, "90"),
        "issued_at": NOON,
        "expires_at": NOON + timedelta(seconds=seconds),
        "generation": generation,
    }
    return Command(**{**known, **fields})


def standing(tenant: str = "acme", **fields: Any) -> BudgetStanding:
    """A budget of $10 in November, 85% used at NOON, three times as fast as evenly, and exhausted a day later."""
    known: dict[str, Any] = {
        "series": f"tenant={tenant}#budget-usd",
        "tenant": tenant,
        "metric": "usd",
        "period": "month",
        "start": datetime(2026, 11, 1, tzinfo=UTC),
        "end": datetime(2026, 12, 1, tzinfo=UTC),
        "at": NOON,
        "limit": Decimal(10),
        "soft": Decimal(8),
        "used": Decimal("8.5"),
        "burn": 3.0,
        "pace_seconds": 86_400.0,
        "exhausted_at": NOON + timedelta(days=1),
        "line": "soft",
    }
    return BudgetStanding(**{**known, **fields})


def ack(command: str = "c1", gateway: str = "edge", said: str = "applied", at: datetime = NOON) -> Ack:
    """A gateway's word on a command."""
    return Ack(command=command, gateway=gateway, state=said, at=at)  # type: ignore[arg-type]


def give(page: PageState, topic: str, *records: Any, key: str = "") -> None:
    """Feed records as the topic holds them."""
    for one in records:
        name = key or (one.scope.key() if isinstance(one, Command) else getattr(one, "id", ""))
        page.take(topic, name.encode(), None if one is None else msgspec.json.encode(one))
