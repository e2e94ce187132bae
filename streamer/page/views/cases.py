"""Incidents and commands, each with what a person needs to judge and to act."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from alerts.incident import Incident
from alerts.text import headline, reasons, who
from alerts.throttle.command import Command
from streamer.feedback import Feedback
from streamer.page.board import Board, in_force, is_seen_by, tenants_of
from streamer.page.sight import Sight
from streamer.records import Anomaly, Cause

PAGE = 20
_MOST_CAUSES = 5


def incidents(board: Board, sight: Sight, now: float, *, state: str, query: str, page: int, tenant: str = "") -> Any:
    """Give one page of the incidents in a state (open, resolved, or "" for both), the gravest open ones first."""
    words = query.casefold()
    found = [
        one
        for one in seen(board, sight)
        if state in ("", one.state) and tenant in {"", *tenants_of(one)} and words in _searched(one)
    ]
    found.sort(key=_weight)
    pages = max(1, -(-len(found) // PAGE))
    page = min(max(page, 1), pages)
    shown = [card(board, one, now) for one in found[(page - 1) * PAGE : page * PAGE]]
    return {"rows": shown, "total": len(found), "page": page, "pages": pages}


def seen(board: Board, sight: Sight) -> list[Incident]:
    """Give the incidents that a person may see."""
    return [one for one in board.incidents.values() if one.alerts and is_seen_by(one, sight)]


def saved(board: Board, sight: Sight) -> Decimal:
    """Sum up what released commands are estimated to have saved, in the incidents that are still known."""
    return sum((one.usd_saved for one in seen(board, sight)), start=Decimal(0))


def card(board: Board, one: Incident, now: float) -> dict[str, Any]:
    """Give an incident in short."""
    main = one.main
    return {
        "id": one.id,
        "state": one.state,
        "severity": one.severity,
        "kind": main.labels.get("kind", ""),
        "tenants": sorted(tenants_of(one)),
        "who": who(main),
        "title": headline(one).partition(" ")[2],
        "reason": next(iter(reasons(one)), "").partition(": ")[2],
        "opened_at": _at(one.opened_at),
        "updated_at": _at(one.updated_at),
        "resolved_at": _at(one.resolved_at),
        "usd_excess": f"{one.usd_excess:f}",
        "usd_per_hour": f"{one.usd_per_hour:f}",
        "usd_saved": f"{one.usd_saved:f}",
        "causes": [_cause(cause) for cause in _causes(board, [main.id])],
        "commands": [command(board, found, now) for found in _commands_of(board, one.id) if in_force(found, now)],
        "answers": [_answer(found) for found in board.answers.get(one.id, [])],
    }


def detail(board: Board, one: Incident, now: float) -> dict[str, Any]:
    """Give all of an incident."""
    alerts = sorted(one.alerts.values(), key=lambda alert: (-alert.usd_excess, alert.id))
    return {
        **card(board, one, now),
        "causes": [_cause(cause) for cause in _causes(board, one.alerts)],
        "commands": [command(board, found, now) for found in _commands_of(board, one.id)],
        "notes": list(one.notes),
        "anomalies": one.alert_count,
        "alerts": [
            {
                "who": who(alert),
                "labels": dict(alert.labels),
                "series": known.series if (known := board.anomalies.get(alert.id)) else "",
                "state": alert.state,
                "reason": alert.reason,
                "usd_excess": f"{alert.usd_excess:f}",
                "opened_at": _at(alert.opened_at),
                "closed_at": _at(alert.closed_at),
            }
            for alert in alerts
        ],
    }


def commands(board: Board, sight: Sight, now: float) -> list[dict[str, Any]]:
    """Give the commands and suggestions in force, the newest first."""
    found = [one for one in board.commands.values() if in_force(one, now) and sight.sees(one.scope.tenant)]
    return [command(board, one, now) for one in sorted(found, key=lambda one: one.issued_at, reverse=True)]


def command(board: Board, one: Command, now: float) -> dict[str, Any]:
    """Give a command with what gateways said to it."""
    return {
        "id": one.id,
        "key": one.scope.key(),
        "scope": msgspec.to_builtins(one.scope),
        "action": one.action,
        "params": dict(one.params),
        "mode": one.mode,
        "live": in_force(one, now),
        "reason": one.reason.text,
        "incident": one.reason.incident,
        "usd_per_hour": one.reason.usd_per_hour,
        "issued_at": _at(one.issued_at),
        "expires_at": _at(one.expires_at),
        "acks": [
            {"gateway": ack.gateway, "state": ack.state, "at": _at(ack.at), "detail": ack.detail}
            for ack in board.acks.get(one.id, {}).values()
        ],
    }


def anomalies_of(board: Board, tenant: str) -> Iterable[Anomaly]:
    """Give what is known of a tenant's anomalies."""
    return (one for one in board.anomalies.values() if one.tenant == tenant)


def _causes(board: Board, ids: Iterable[str]) -> list[Cause]:
    """Gather the causes that anomalies name, each once, the largest first."""
    found = {
        (cause.level, cause.name): cause
        for name in ids
        if (anomaly := board.anomalies.get(name))
        for cause in sorted(anomaly.causes, key=lambda cause: cause.share)
    }
    return sorted(found.values(), key=lambda cause: -cause.share)[:_MOST_CAUSES]


def _cause(cause: Cause) -> dict[str, Any]:
    return {"level": cause.level, "name": cause.name, "share": cause.share}


def _answer(said: Feedback) -> dict[str, Any]:
    return {"verdict": said.verdict, "by": said.by, "at": _at(said.time), "until": _at(said.until)}


def _commands_of(board: Board, incident: str) -> list[Command]:
    return [one for one in board.commands.values() if one.reason.incident == incident]


def _searched(one: Incident) -> str:
    return " ".join(label for alert in one.alerts.values() for label in alert.labels.values()).casefold()


def _weight(one: Incident) -> tuple[bool, Any, float]:
    return one.state != "open", -one.usd_per_hour, -one.updated_at.timestamp()


def _at(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None
