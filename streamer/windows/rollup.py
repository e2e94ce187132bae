"""Turns the totals of a closed window into the records that are published."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from streamer.pricing.money import COST_KINDS, ZERO, CostKind, dollars
from streamer.records import Rollup, Scope, Usual
from streamer.windows.entity import Entity, quote
from streamer.windows.totals import Metric, Totals


class Rollups:
    """The rollups of one closed window of a tenant; `part` is above 0 for what came after it had closed.

    Records are made by position: there are many, and names cost five times as much.
    """

    def __init__(self, tenant: str, start: datetime, end: datetime, part: int) -> None:
        self._tenant, self._start, self._end, self._part = tenant, start, end, part

    def of(self, entity: Entity, totals: Totals, usual: Mapping[Metric, Usual] | None = None) -> Rollup:
        """Make the rollup of a tenant, use case, agent or model, with what is usual of it where that is to be told."""
        level, use_case, agent, model, session = entity
        scope = Scope(use_case, agent, model, session)
        made = self._made(entity.key(self._tenant), level, scope, totals)
        if usual:
            made.usual = dict(usual)
        return made

    def of_sessions(self, agent: Entity, sessions: dict[str, Totals]) -> Iterator[Rollup]:
        """Make the rollups of an agent's sessions."""
        prefix = f"{agent.key(self._tenant)}/session="
        for session, totals in sessions.items():
            scope = Scope(agent.use_case, agent.agent, "", session)
            yield self._made(prefix + quote(session), "session", scope, totals)

    def _made(self, series: str, level: str, scope: Scope, totals: Totals) -> Rollup:
        usd, split = _money(totals.usd_by_kind)
        part, given = self._part, totals.given
        return Rollup(
            series,
            level,
            self._tenant,
            scope,
            self._start,
            self._end,
            part > 0,
            part,
            *totals.counts(),
            usd,
            split,
            usd if given == totals.usd else dollars(given),
        )


def _money(by_kind: dict[CostKind, int]) -> tuple[Decimal, dict[CostKind, Decimal]]:
    if not by_kind:
        return ZERO, {}
    if len(by_kind) == 1:
        ((kind, femto),) = by_kind.items()
        usd = dollars(femto)
        return usd, {kind: usd}
    split = {kind: dollars(by_kind[kind]) for kind in COST_KINDS if kind in by_kind}
    return dollars(sum(by_kind.values())), split
