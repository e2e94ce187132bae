"""What is answered to each question that the page can be asked. Pure: raises Refused, and asks nobody."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar, get_args

from streamer.page.board import is_seen_by
from streamer.page.refused import Refused
from streamer.page.sight import Sight
from streamer.page.spend import LEVELS
from streamer.page.state import PageState
from streamer.page.views import cases, health
from streamer.page.views.spending import METRICS, Sort, Spending

_T = TypeVar("_T")
_LONGEST_QUERY = 200
#: What was asked: the parameters by name.
Ask = Mapping[str, str]


class Answers:
    """Answers from one state, as it is at `now` (epoch seconds).

    What a person does not see is answered as if it were not there.
    """

    def __init__(self, state: PageState) -> None:
        self._state, self._spending = state, Spending(state.spend)

    def overview(self, _: Ask, sight: Sight, now: float) -> Any:
        """Show all that a person sees, in short."""
        state = self._state
        seen = [one for one in cases.seen(state.board, sight) if one.state == "open"]
        return {
            "totals": self._spending.totals(now, sight),
            "incidents": cases.incidents(state.board, sight, now, state="open", query="", page=1),
            "excess": f"{sum((one.usd_excess for one in seen), start=Decimal(0)):f}",
            "burning": f"{sum((one.usd_per_hour for one in seen), start=Decimal(0)):f}",
            "saved": f"{cases.saved(state.board, sight):f}",
            "commands": cases.commands(state.board, sight, now),
            "budgets": health.budgets(state, sight, now),
            "quality": health.quality(state, sight, now),
            "fresh": health.fresh(state, now),
        }

    def series(self, ask: Ask, sight: Sight, now: float) -> Any:
        """List one page of the series of a level, of `tenant` and with `q` in their names where these are given."""
        return self._spending.listed(
            _one_of(ask.get("level", "tenant"), LEVELS),
            now,
            sight,
            tenant=ask.get("tenant", ""),
            query=ask.get("q", "")[:_LONGEST_QUERY],
            sort=_one_of(ask.get("sort", "rate"), get_args(Sort)),
            page=_number(ask.get("page", "1")),
        )

    def chart(self, ask: Ask, sight: Sight, now: float) -> Any:
        """Show one metric of the series `key` over time; of one that is not known, or not theirs, there is nothing."""
        metric = _one_of(ask.get("metric", "usd"), METRICS)
        series = self._state.spend.series.get(ask.get("key", ""))
        if series is None or not sight.sees(series.tenant):
            return {"key": ask.get("key", ""), "metric": metric, "times": [], "values": [], "usual": [], "bands": []}
        return self._spending.chart(series, metric, now, cases.anomalies_of(self._state.board, series.tenant))

    def incidents(self, ask: Ask, sight: Sight, now: float) -> Any:
        """List one page of the incidents, in `state` and with `q` in their names where these are given."""
        state = _one_of(ask.get("state", ""), ("", "open", "resolved"))
        query, page = ask.get("q", "")[:_LONGEST_QUERY], _number(ask.get("page", "1"))
        found = cases.incidents(self._state.board, sight, now, state=state, query=query, page=page)
        return {**found, "fresh": health.fresh(self._state, now)}

    def incident(self, ask: Ask, sight: Sight, now: float) -> Any:
        """Show all of the incident `id`."""
        found = self._state.board.incidents.get(ask["id"])
        if found is None or not is_seen_by(found, sight):
            raise Refused(404, "there is no such incident, or it was over so long ago that its record is gone")
        return {**cases.detail(self._state.board, found, now), "fresh": health.fresh(self._state, now)}

    def tenant(self, ask: Ask, sight: Sight, now: float) -> Any:
        """Show all of the tenant `name`."""
        name, board = ask["name"], self._state.board
        totals = self._spending.totals(now, sight, name)
        found = cases.incidents(board, sight, now, state="", query="", page=1, tenant=name)
        if not sight.sees(name) or not (totals["tenants"] or found["total"]):
            raise Refused(404, "there is no such tenant, or nothing came of it lately")
        return {
            "name": name,
            "totals": totals,
            "incidents": found,
            "commands": [one for one in cases.commands(board, sight, now) if one["scope"]["tenant"] == name],
            "budgets": health.budgets(self._state, sight, now, name),
            "quality": health.quality(self._state, sight, now, name),
            "fresh": health.fresh(self._state, now),
        }


def _one_of(value: str, known: tuple[_T, ...]) -> _T:
    found = next((one for one in known if one == value), None)
    if found is None:
        raise Refused(400, f"choose one of {', '.join(map(str, known))}")
    return found


def _number(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise Refused(400, "page is a number")
    return int(value)
