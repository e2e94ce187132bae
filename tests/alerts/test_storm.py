"""One cause that shows in many places at once: one message an owner, ten in all, and each alert in it."""

from collections import Counter
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from alerts import text
from alerts.alert import Alert, Label
from alerts.dispatcher import Dispatcher
from alerts.incident import moment
from alerts.kept import MOST_ALERTS
from alerts.notification import Notification
from alerts.owners import OwnerRule, Owners
from alerts.routes import Route
from alerts.storm import StormRule
from alerts.text import headline
from streamer.config import Config
from streamer.routing import dispatcher_of
from tests.alerts.build import NOW, START, TRIAGE, alert

KINDS = ("burst", "loop", "drift", "bloat", "mix", "busywork", "budget", "silence")


def of_tenant(name: str, tenant: object, kind: str = "burst", usd: str = "1.50") -> Alert:
    return alert(name, labels={**TRIAGE, "tenant": f"t{tenant}", "kind": kind}, usd=usd)


OWN = ("owner", "tenant", "kind")


def of_owners(owners: int, rule: StormRule | None = None) -> Dispatcher:
    """Tenants are shared out among so many owners, each with a receiver; the first is the default owner."""
    names = ["finops", *(f"team-{number}" for number in range(1, owners))]
    rules = [OwnerRule(match={"tenant": f"t{number}"}, owner=names[number % owners]) for number in range(50)]
    routes = [Route(receiver=name, match={"owner": name}, group_by=OWN) for name in names[1:]]
    return Dispatcher([*routes, Route(receiver="finops", group_by=OWN)], owners=Owners(rules, "finops"), storm=rule)


def told(found: Dispatcher, seconds: float) -> list[Notification]:
    """Deliver all that is due at a moment."""
    due = list(found.pending(NOW + seconds))
    for notification in due:
        found.delivered(notification, f"ref-{notification.incident.id}", NOW + seconds)
    return due


def lived(found: Dispatcher, arrivals: Iterator[tuple[float, Alert]], until: float) -> list[Notification]:
    """Let alerts arrive, and time pass in quarters of a second."""
    heard: list[Notification] = []
    waiting = list(arrivals)
    for quarter in range(int(until * 4) + 1):
        now = quarter / 4
        while waiting and waiting[0][0] <= now:
            at, arriving = waiting.pop(0)
            found.submit(arriving, NOW + at)
        heard += told(found, now)
    return heard


def messages(heard: list[Notification]) -> list[Notification]:
    """What is new to people; the others are edits of it."""
    return [one for one in heard if one.previous is None]


ORDERS = {
    "by turns": lambda number: number % 50,
    "tenant after tenant": lambda number: number // 20,
    "at random": lambda number: number * 7919 % 50,
}


@pytest.mark.parametrize("order", sorted(ORDERS))
def test_a_thousand_alerts_of_one_cause_in_fifty_tenants_are_one_message(order: str) -> None:
    """With the default configuration; within the minute one is sent, and one change tells of them all."""
    found = dispatcher_of(Config().alerts)
    arrivals = (
        (number * 0.06, of_tenant(f"a{number}", ORDERS[order](number), usd=str(number))) for number in range(1000)
    )
    heard = lived(found, arrivals, until=130)
    assert len(messages(heard)) == 1
    assert len(heard) <= 3
    last = heard[-1].incident
    assert headline(last).startswith("🟠 1,000 alerts in 50 tenants, led by ")
    assert len(last.alerts) == MOST_ALERTS
    assert max(last.alerts.values(), key=lambda one: one.usd_excess).id == "a999"


@pytest.mark.parametrize(
    ("owners", "kinds", "order"),
    [
        *[(owners, 8, "tenant after tenant") for owners in (1, 5, 9)],
        *[(50, kinds, order) for kinds, order in ((1, "by turns"), (1, "tenant after tenant"), (8, "at random"))],
        *[(5, 1, order) for order in ("by turns", "at random")],
    ],
)
def test_an_owner_gets_one_message_of_a_storm_and_all_get_ten(order: str, owners: int, kinds: int) -> None:
    """Each owner has a route and a receiver of its own; what goes on is said again as it changes."""
    found = of_owners(owners)
    arrivals = [
        (number * 0.06, of_tenant(f"a{number}", ORDERS[order](number), KINDS[number % kinds])) for number in range(1000)
    ]
    again = [(at + 10, replace(one, state="updated", updated_at=moment(NOW + at + 10))) for at, one in arrivals]
    heard = lived(found, iter(sorted([*arrivals, *again], key=lambda one: one[0])), until=75)
    told_to = Counter(one.receiver for one in messages(heard))
    assert max(told_to.values()) == 1
    assert len(messages(heard)) <= min(owners, 10)
    last = {one.receiver: one.incident for one in heard}
    known = {name for one in last.values() for name in found.find(one.id).members()}  # type: ignore[union-attr]
    assert known == {f"a{number}" for number in range(1000)}
    assert set(told_to) | set(last["finops"].owners) == {"finops", *(f"team-{n}" for n in range(1, owners))}


def test_owners_who_read_channels_of_one_receiver_are_told_alike() -> None:
    """A receiver that goes to the owner's channel is one route for all of them."""
    rules = [OwnerRule(match={"tenant": f"t{n}"}, owner=f"team-{n}", channel=f"C{n}") for n in range(50)]
    found = Dispatcher([Route(receiver="team", group_by=OWN)], owners=Owners(rules, "finops"))
    heard = lived(found, ((n * 0.06, of_tenant(f"a{n}", n % 50, KINDS[n % 8])) for n in range(1000)), until=75)
    told_to = Counter(one.owner.name if one.owner else "" for one in messages(heard))
    assert (max(told_to.values()), told_to.total(), told_to["finops"]) == (1, 10, 1)
    last = next(one for one in reversed(heard) if one.owner and one.owner.name == "finops")
    assert {*told_to, *last.incident.owners} == {"finops", *(f"team-{n}" for n in range(50))}
    assert text.stands_in(last.incident).startswith("41 owners are told here first: team-")


def test_what_goes_on_after_a_storm_is_told_to_its_owners_in_rounds() -> None:
    """Those for whom it has ended hear nothing; nobody hears anything twice."""
    found = of_owners(50)
    heard = lived(found, ((n * 0.1, of_tenant(f"a{n}", n)) for n in range(50)), until=10)
    held = [one for one in found.open_incidents() if one.told_by]
    assert len(held) == 40, "nine were told, and the default owner is one of fifty"
    ended = {one.main.id for one in held[::2]}
    for name in ended:
        labels = {**TRIAGE, "tenant": f"t{name[1:]}"}
        found.submit(alert(name, "closed", after=100, labels=labels), NOW + 100)
    rounds: list[tuple[float, str]] = []
    for quarter in range(40, 4 * 2000):
        rounds += [(quarter / 4, one.receiver) for one in messages(told(found, quarter / 4))]
    assert {receiver for _, receiver in rounds} == {one.receiver for one in held if one.main.id not in ended}
    assert len(rounds) == len({receiver for _, receiver in rounds})
    assert max(Counter(at // 60 for at, _ in rounds).values()) <= 10
    assert min(at for at, _ in rounds) >= 900 and max(at for at, _ in rounds) <= 900 + 5 * 60 + 10
    assert "too much began at once: told to finops first" in found.open_incidents()[-1].notes
    assert not {receiver for _, receiver in rounds} & {one.receiver for one in messages(heard)}


def test_a_storm_of_many_owners_goes_on_after_a_restart() -> None:
    found, again = of_owners(50), of_owners(50)
    lived(found, ((n * 0.1, of_tenant(f"a{n}", n)) for n in range(50)), until=10)
    again.restore({name: state for name, state in found.changes() if state})
    assert told(again, 20) == []
    again.submit(of_tenant("late", 30), NOW + 30)
    assert {one.receiver for one in told(again, 80)} == {"finops"}
    assert len(messages(told(again, 910))) == 9


def test_what_is_told_elsewhere_says_so() -> None:
    found = of_owners(50)
    lived(found, ((n * 0.1, of_tenant(f"a{n}", n)) for n in range(50)), until=10)
    held = next(one for one in found.open_incidents() if one.told_by)
    decision, why, _ = found.explain(held, NOW + 10)
    stand_in = found.find(why.told_by)
    assert stand_in is not None
    assert (decision.reason, decision.again_at, stand_in.receiver) == ("storm", held.told_by_until, "finops")
    found.remarks.acknowledge(stand_in.id, "ann", START, "ann acknowledged it")
    assert held.acknowledged is not None


def test_two_tenants_are_two_incidents() -> None:
    found = dispatcher_of(Config().alerts)
    found.submit(of_tenant("a", 1), NOW)
    found.submit(of_tenant("b", 2), NOW)
    assert len(told(found, 2)) == 2


def test_what_begins_long_after_each_other_is_no_storm() -> None:
    found = dispatcher_of(Config().alerts)
    heard = lived(found, ((n * 61.0, of_tenant(f"a{n}", n)) for n in range(5)), until=310)
    assert len([one for one in heard if one.because == "new"]) == 5


def test_what_people_were_told_of_before_the_storm_is_its_message() -> None:
    found = dispatcher_of(Config().alerts)
    heard = lived(found, iter([(0.0, of_tenant("a", 1)), (5.0, of_tenant("b", 2)), (6.0, of_tenant("c", 3))]), until=70)
    first, last = heard[0], heard[-1]
    assert (first.incident.tenant_count, last.incident.tenant_count) == (1, 3)
    assert last.incident.id == first.incident.id
    assert len(messages(heard)) == 1


def test_a_storm_is_over_when_all_is_over_and_is_found_by_the_ids_of_its_parts() -> None:
    found = Dispatcher([Route(receiver="team")])
    parts = [found.submit(of_tenant(name, name), NOW) for name in "abc"]
    assert len({part.id for part in parts if part}) == 3 - 1
    told(found, 2)
    (storm,) = found.open_incidents()
    assert all(part is not None and found.find(part.id) is storm for part in parts)
    for name in "abc":
        assert storm.state == "open"
        found.submit(alert(name, "closed", after=9, labels={**TRIAGE, "tenant": f"t{name}"}), NOW + 9)
    assert [one.because for one in told(found, 9)] == ["resolved"]
    found.submit(of_tenant("d", "d"), NOW + 300)
    assert [one.incident.tenant_count for one in told(found, 302)] == [1]


def test_a_storm_goes_on_after_a_restart() -> None:
    found, again = Dispatcher([Route(receiver="team")]), Dispatcher([Route(receiver="team")])
    for number in range(200):
        found.submit(of_tenant(f"a{number}", number), NOW)
    again.restore({name: state for name, state in found.changes() if state})
    again.submit(of_tenant("late", "late"), NOW + 30)
    (storm,) = again.open_incidents()
    assert (storm.alert_count, storm.tenant_count) == (201, 201)
    assert [one.because for one in told(again, 30)] == ["new"]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(KINDS[:4]), st.floats(0, 4)), min_size=1, max_size=60),
    st.integers(2, 4),
    st.integers(1, 5),
    st.integers(1, 10),
)
def test_whatever_comes_no_alert_is_lost_in_a_storm_or_told_twice_and_few_messages_tell(
    arrivals: list[tuple[int, str, float]], tenants: int, incidents: int, owners: int
) -> None:
    """Every alert is in an incident that was told; in the end every owner was told, too, of what goes on."""
    rule = StormRule(tenants=tenants, incidents=incidents)
    found = of_owners(owners, rule)
    now, names = 0.0, count()
    new: list[tuple[float, str]] = []

    def tell() -> None:
        new.extend((one.incident.noted_at, one.incident.id) for one in messages(told(found, now)))

    for tenant, kind, pause in arrivals:
        now += pause
        found.submit(of_tenant(f"a{next(names)}", tenant, kind), NOW + now)
        tell()
    now += 2.1
    tell()
    for name in range(len(arrivals)):
        assert any(one.sent for one in found.holding(f"a{name}")), name
    for at, _ in new:
        # One more than begins by itself: the message at the default owner.
        assert sum(at - rule.window <= other <= at for other, _ in new) <= incidents + 1
    now += rule.patience + 10 * rule.window
    tell()
    assert all(one.sent for one in found.open_incidents())
    assert len(new) == len(set(new)) == len({name for _, name in new})


def told_twice(rule: StormRule | None = None) -> Dispatcher:
    """All of it goes to the default owner, and all of it to a second receiver."""
    routes = [Route(receiver="finops", group_by=OWN, go_on=True), Route(receiver="audit", group_by=OWN)]
    return Dispatcher(routes, owners=Owners(default="finops"), storm=rule)


def test_what_became_a_part_of_a_storm_while_its_next_receiver_was_found_is_told_in_the_storm() -> None:
    found = told_twice(StormRule(tenants=9, incidents=3))
    found.submit(of_tenant("a", 1, "loop"), NOW)
    told(found, 5)
    first = found.submit(of_tenant("b", 2, "burst"), NOW + 10)
    assert first is not None and first is found.find(first.id) and found.holding("b")[0] is first
    assert {one.receiver for one in found.holding("b")} == {"finops", "audit"}
    told(found, 70)
    assert {one.receiver for one in found.holding("b") if one.sent} == {"finops"}
    for name, tenant, kind in (("a", 1, "loop"), ("b", 2, "burst")):
        found.submit(replace(of_tenant(name, tenant, kind), state="closed", updated_at=moment(NOW + 90)), NOW + 90)
    assert found.open_incidents() == []


def test_what_was_to_be_told_when_it_became_a_part_of_a_storm_is_told_once_and_nothing_stays_due() -> None:
    """Loops wait for no company, the others half a minute: a loop can be ready when a storm takes it in."""
    loops = Route(receiver="finops", match={"kind": "loop"}, group_by=OWN, group_wait=0.0)
    found = Dispatcher([loops, Route(receiver="finops", group_by=OWN, group_wait=30.0)])
    for seconds, kind in enumerate(("drift", "loop", "burst")):
        found.submit(of_tenant(kind, 1, kind), NOW + seconds)
        found.tick(NOW + seconds)
    assert [sorted(one.incident.alerts) for one in told(found, 40)] == [["burst", "drift", "loop"]]
    assert told(found, 41) == []
    assert found.due > NOW + 41


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.sampled_from(KINDS[:4]), st.floats(0, 4), st.booleans()),
        min_size=1,
        max_size=40,
    ),
    st.integers(2, 4),
    st.integers(1, 9),
)
def test_whatever_comes_in_a_storm_both_of_two_receivers_learn_of_it_and_of_its_end(
    arrivals: list[tuple[int, str, float, bool]], tenants: int, incidents: int
) -> None:
    rule = StormRule(tenants=tenants, incidents=incidents)
    found, now = told_twice(rule), 0.0
    alerts = [of_tenant(f"a{number}", tenant, kind) for number, (tenant, kind, _, _) in enumerate(arrivals)]
    for one, (*_, pause, goes_on) in zip(alerts, arrivals, strict=True):
        now += pause
        found.submit(one, NOW + now)
        told(found, now)
        if goes_on:
            found.submit(replace(one, state="updated", updated_at=moment(NOW + now)), NOW + now)
    for at in (2.1, rule.patience + 10 * rule.window):
        told(found, now + at)
    for one in alerts:
        assert {incident.receiver for incident in found.holding(one.id) if incident.sent} == {"finops", "audit"}
    now += 2 * rule.patience
    for one in alerts:
        found.submit(replace(one, state="closed", updated_at=moment(NOW + now)), NOW + now)
    assert {one.because for one in told(found, now)} == {"resolved"}
    assert found.open_incidents() == []


def test_a_label_of_a_tenant_that_is_missing_is_no_tenant() -> None:
    labels: dict[Label, str] = {"kind": "burst"}
    found = Dispatcher([Route(receiver="team")])
    for name in "abc":
        found.submit(alert(name, labels=labels), NOW)
    assert len(found.open_incidents()) == 1
