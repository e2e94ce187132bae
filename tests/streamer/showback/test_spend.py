"""What is spent is added up exactly, by holder and by kind of cost."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from alerts.showback import headline, lines
from alerts.slack.showback import report_message
from streamer.config import BudgetConfig
from streamer.pricing.money import COST_KINDS, CostKind
from streamer.records import Scope
from streamer.showback.period import Period
from streamer.showback.spend import Holder, Spend, Spent, report_of
from tests.slack.limits import problems_of

DAY = Period.holding("day", date(2026, 11, 21), ZoneInfo("UTC"))
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NAMES = st.text(alphabet="abc<&*`\n\u202e", min_size=1, max_size=30)


def spent(usd: str, *, use_case: str = "", agent: str = "", kind: CostKind = "llm", **fields: object) -> list[Spent]:
    """The rollups of one event: its tenant's, its use case's and its agent's."""
    tenant, start, part = str(fields.get("tenant", "acme")), fields.get("start", NOON), fields.get("part", 0)
    assert isinstance(start, datetime)
    assert isinstance(part, int)
    found = [("tenant", Scope())]
    found += [("use_case", Scope(use_case))] if use_case else []
    found += [("agent", Scope(use_case, agent))] if agent else []
    amount = {kind: Decimal(usd)}
    return [
        Spent(f"{tenant}/{scope.use_case}/{scope.agent}", level, tenant, scope, start, part, amount)
        for level, scope in found
    ]


def spend(*events: list[Spent], period: Period = DAY, tenants: tuple[str, ...] = ()) -> Spend:
    made = Spend(period, tenants)
    for event in events:
        for rollup in event:
            made.add(rollup)
    return made


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["acme", "globex"]),
            st.sampled_from(["support", "search"]),
            st.sampled_from(["a", "b"]),
            st.sampled_from(COST_KINDS),
            st.decimals(0, 1000, places=15),
        ),
        max_size=20,
    )
)
def test_no_dollar_is_lost_or_counted_twice(events: list[tuple[str, str, str, CostKind, Decimal]]) -> None:
    found = Spend(DAY)
    sums: Counter[Holder] = Counter()
    for part, (tenant, use_case, agent, kind, usd) in enumerate(events):
        rollups = spent(str(usd), use_case=use_case, agent=agent, kind=kind, tenant=tenant, part=part)
        for rollup in (*rollups, *rollups):  # each is written twice, as after a crash
            found.add(rollup)
        for holder in (Holder(tenant), Holder(tenant, use_case), Holder(tenant, use_case, agent)):
            sums[holder] += usd  # type: ignore[assignment]
    assert {holder: found.total(holder) for holder in found.holders()} == dict(sums)
    report = report_of(found, Spend(DAY.before()), DAY)
    assert report.total.usd == sum((row.usd for row in report.use_cases), Decimal(0))
    assert report.total.usd == sum((row.usd for row in report.agents), Decimal(0))
    assert report.total.usd == sum((row.usd for row in report.kinds), Decimal(0))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 400)), max_size=300), st.integers(0, 300))
@example([(1, 9)] * 200, 150)
def test_after_a_backup_was_restored_what_came_since_counts_once(story: list[tuple[int, int]], back: int) -> None:
    """Windows that close one after the other, and late parts; then what came since the backup comes again."""
    rollups, start, part = list[Spent](), DAY.start, 0
    for late, seconds in story:
        if late:
            start += timedelta(seconds=seconds + 1)
            rollups += spent("1", start=start)
        else:
            part += 1
            rollups += spent("1", start=start - timedelta(seconds=min(seconds, 60)), part=part)
    rollups = [one for one in rollups if DAY.start <= one.start < DAY.end]
    found = spend(rollups, rollups[max(0, len(rollups) - back) :])
    assert found.total(Holder("acme")) == len(rollups)


def test_what_a_tenant_spent_before_it_moved_to_another_partition_counts_in_whatever_order_they_are_read() -> None:
    found = Spend(DAY)
    for partition, hours in ((1, (3, 4)), (0, (1, 2, 1))):
        for hour in hours:
            found.add(spent("1", start=NOON + timedelta(hours=hour))[0], partition)
    assert found.total(Holder("acme")) == 4


def test_only_windows_that_began_in_the_period_count() -> None:
    edges = [DAY.start - timedelta(seconds=10), DAY.start, DAY.end - timedelta(seconds=10), DAY.end]
    assert spend(*(spent("1", start=start) for start in edges)).total(Holder("acme")) == 2


def test_only_the_tenants_asked_for_count() -> None:
    found = spend(spent("1"), spent("2", tenant="globex"), tenants=("globex",))
    assert [holder.tenant for holder in found.holders()] == ["globex"]


def test_models_and_sessions_would_count_twice() -> None:
    model = Spent("x", "model", "acme", Scope(model="gpt-4o"), NOON, 0, {"llm": Decimal(9)})
    assert spend(spent("1"), [model]).kinds()["llm"] == 1


def test_a_report_says_who_spent_what_against_the_day_before() -> None:
    today = spend(spent("60", use_case="support", agent="triage"), spent("15", kind="saas", part=1))
    yesterday = spend(
        spent("50", use_case="support", agent="triage", start=NOON - timedelta(days=1)), period=DAY.before()
    )
    budget = BudgetConfig(tenant="acme", use_case="support", limit=Decimal(2000))
    report = report_of(today, yesterday, DAY, budgets=[budget], causes=["$9.00 acme, loop: x"], saved=Decimal(12))
    assert headline(report) == "acme spent $75.00 on Saturday, 21 November, 50% more than the day before"
    assert lines(report)[1:] == [
        "kinds of cost: LLM 80% · SaaS 20%",
        "by use case:",
        "  support             $60.00  20% more",
        "  (none named)        $15.00  new",
        "by agent:",
        "  support · triage        $60.00  20% more",
        "  (none named)            $15.00  new",
        "budgets:",
        "  acme · support: $60.00, 91% of the even pace of the month's budget of $2,000",
        "what cost most above normal:",
        "  $9.00 acme, loop: x",
        "throttling saved about $12.00 (an estimate)",
    ]


@given(st.lists(st.tuples(NAMES, NAMES, NAMES), max_size=30), st.lists(NAMES, max_size=4))
def test_a_message_keeps_to_slacks_limits_whatever_names_hold(
    names: list[tuple[str, str, str]], causes: list[str]
) -> None:
    events = [
        spent("1", tenant=tenant, use_case=use_case, agent=agent, part=part)
        for part, (tenant, use_case, agent) in enumerate(names)
    ]
    report = report_of(spend(*events), Spend(DAY.before()), DAY, causes=causes, saved=Decimal(1))
    text, blocks = report_message(report)
    assert problems_of(blocks) == []
    assert 1 <= len(text) <= 150
    assert not any("<" in block["text"]["text"] for block in blocks if block["type"] == "section")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["acme", "globex"]),
            st.sampled_from(["", "support", "search"]),
            st.sampled_from(["", "a", "b"]),
            st.sampled_from(COST_KINDS),
            st.decimals(0, 1000, places=15),
        ),
        max_size=20,
    )
)
def test_each_dollar_has_one_owner_who_is_told_of_it(events: list[tuple[str, str, str, CostKind, Decimal]]) -> None:
    """The owner of the agent, else of the use case, else of the tenant; all together own all."""
    whole = spend(
        *(
            spent(str(usd), tenant=tenant, use_case=case, agent=agent, kind=kind, part=n)
            for n, (tenant, case, agent, kind, usd) in enumerate(events)
        )
    )
    owners = {
        "triage": lambda holder: holder.agent == "a",
        "support": lambda holder: holder.use_case == "support" and holder.agent != "a",
        "rest": lambda holder: holder.use_case != "support" and holder.agent != "a",
    }
    parts = {name: whole.owned(owns) for name, owns in owners.items()}
    for kind in COST_KINDS:
        assert sum(part.kinds()[kind] for part in parts.values()) == whole.kinds()[kind]
    own = sum((usd for _, _, agent, _, usd in events if agent == "a"), Decimal(0))
    assert sum(parts["triage"].kinds().values()) == own
    for part in parts.values():
        rows = report_of(part, part, DAY).use_cases
        assert sum(row.usd for row in rows) == sum(part.kinds().values())
