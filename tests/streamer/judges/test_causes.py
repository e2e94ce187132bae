"""The parts of a window are ranked by their share of what is above normal; the smallest that explains it is named."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.events.usage import UsageEvent
from streamer.judges.causes import Parts, judged, spelled
from streamer.pricing.money import FEMTODOLLARS
from streamer.records import Cause
from streamer.windows.entity import TENANT, Entity
from streamer.windows.gauge import Ceilings
from streamer.windows.open import OpenWindow
from streamer.windows.totals import Metric
from tests.streamer.samples import event

FEW = st.sampled_from(["a", "b", "c"])
EVENTS = st.lists(
    st.builds(event, use_case=FEW, agent=FEW, model=FEW, session=FEW, tool=FEW, input_tokens=st.integers(0, 1000)),
    min_size=1,
    max_size=40,
)
SUPPORT, TRIAGE = Entity("use_case", "support"), Entity("agent", "support", "triage")


def window(events: list[UsageEvent]) -> OpenWindow:
    found = OpenWindow(0, 10, 1000, lambda _: Ceilings())
    for one in events:
        found.add(one, (FEMTODOLLARS, "given"))
    return found


def of(name: str, tokens: int, number: int = 1) -> list[UsageEvent]:
    """Requests of an agent, written use_case/agent, with so many tokens each."""
    use_case, agent = name.split("/")
    return [event(n, use_case=use_case, agent=agent, input_tokens=tokens) for n in range(number)]


def usual(**tokens: float) -> Callable[[Entity, Metric], float]:
    """What is expected, by the entity's last name."""
    return lambda entity, _: tokens.get(entity.agent or entity.use_case or "tenant", 0.0)


def test_it_goes_down_to_the_agent_that_is_behind_most_of_the_excess() -> None:
    parts = Parts(
        window([*of("support/triage", 1000), *of("support/solver", 100), *of("search/ranker", 500)]),
        usual(tenant=700, support=200, triage=100, solver=100, search=500, ranker=500),
    )
    assert parts.culprit(TENANT, "tokens") == TRIAGE
    assert parts.culprit(SUPPORT, "tokens") == TRIAGE


def test_where_several_share_it_it_stays_with_the_whole() -> None:
    parts = Parts(window([*of("support/triage", 1000), *of("support/solver", 1000)]), usual())
    assert parts.culprit(TENANT, "tokens") == SUPPORT


def test_who_always_has_most_is_no_cause_and_who_has_more_than_usual_is() -> None:
    parts = Parts(
        window([*of("support/triage", 10_000), *of("search/ranker", 1000)]),
        usual(tenant=10_050, support=10_000, triage=10_000, search=50, ranker=50),
    )
    found = {(cause.level, cause.name): cause.share for cause in parts.causes(TENANT, "tokens")}
    assert found["agent", "ranker"] == found["use_case", "search"] == 1
    assert ("agent", "triage") not in found
    assert parts.culprit(TENANT, "tokens").agent == "ranker"


def test_agents_of_no_use_case_are_parts_of_the_tenant() -> None:
    parts = Parts(window(of("/crawler", 1000)), usual())
    assert parts.culprit(TENANT, "tokens") == Entity("agent", "", "crawler")


@settings(max_examples=80, deadline=None)
@given(EVENTS, st.floats(0, 2000), st.sampled_from(["tokens", "requests", "usd", "steps", "tool_calls"]))
def test_causes_are_few_ranked_and_shares_and_the_culprit_lies_within(
    events: list[UsageEvent], expected: float, metric: Metric
) -> None:
    parts = Parts(window(events), lambda entity, _: expected if entity == TENANT else expected / 10)
    for entity in (TENANT, Entity("use_case", events[0].use_case)):
        causes = parts.causes(entity, metric)
        shares = [cause.share for cause in causes]
        assert shares == sorted(shares, reverse=True)
        assert all(0 < share <= 1 for share in shares)
        assert len(causes) <= 5
        assert len({(cause.level, cause.name) for cause in causes}) == len(causes) or entity == TENANT
        culprit = parts.culprit(entity, metric)
        assert culprit.use_case == entity.use_case or entity == TENANT


@settings(max_examples=40, deadline=None)
@given(EVENTS, st.randoms())
def test_the_order_of_the_events_changes_nothing(events: list[UsageEvent], rng: st.DataObject) -> None:
    shuffled = list(events)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = (Parts(window(found), usual()) for found in (events, shuffled))
    assert one.causes(TENANT, "tokens") == other.causes(TENANT, "tokens")


def test_dollars_are_in_dollars_and_a_credit_is_nothing() -> None:
    found = OpenWindow(0, 10, 1000, lambda _: Ceilings())
    found.add(event(1, agent="a"), (3 * FEMTODOLLARS, "given"))
    found.add(event(2, agent="b"), (-FEMTODOLLARS, "given"))
    totals = found.totals()
    assert judged(totals, Entity("agent", "", "a"), "usd") == 3
    assert judged(totals, Entity("agent", "", "b"), "usd") == 0
    assert judged(totals, Entity("agent", "", "nobody"), "usd") == 0


def test_no_more_than_three_are_said() -> None:
    causes = tuple(Cause("agent", name, 0.3) for name in "abcd")
    assert spelled(causes) == " (30% agent a, 30% agent b, 30% agent c)"
    assert not spelled(())
