"""One cause that shows in many places at once: one message an owner, ten in all, and each alert in it."""

from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.alert import Alert, Label
from alerts.dispatcher import Dispatcher
from alerts.kept import MOST_ALERTS
from alerts.notification import Notification
from alerts.owners import OwnerRule, Owners
from alerts.routes import Route
from alerts.storm import StormRule
from alerts.text import headline
from streamer.config import Config
from streamer.routing import dispatcher_of
from tests.alerts.build import NOW, TRIAGE, alert

KINDS = ("burst", "loop", "drift", "bloat", "mix", "busywork", "budget", "silence")


def of_tenant(name: str, tenant: object, kind: str = "burst", usd: str = "1.50") -> Alert:
    return alert(name, labels={**TRIAGE, "tenant": f"t{tenant}", "kind": kind}, usd=usd)


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


def test_each_owner_gets_one_message_of_a_storm() -> None:
    rules = [OwnerRule(match={"tenant": f"t{first}*"}, owner=f"team-{first}") for first in range(1, 5)]
    found = Dispatcher([Route(receiver="team", group_by=("owner", "tenant", "kind"))], owners=Owners(rules, "finops"))
    heard = lived(found, ((n * 0.06, of_tenant(f"a{n}", n % 50)) for n in range(1000)), until=130)
    owners = [one.incident.owner for one in messages(heard)]
    assert sorted(owners) == ["finops", "team-1", "team-2", "team-3", "team-4"]
    assert sum(one.incident.alert_count for one in {one.incident.owner: one for one in heard}.values()) == 1000


def test_of_fifty_owners_and_all_kinds_at_once_ten_messages_tell() -> None:
    """Each tenant has an owner of its own, who reads the same channel."""
    rules = [OwnerRule(match={"tenant": f"t{number}"}, owner=f"team-{number}") for number in range(50)]
    found = Dispatcher([Route(receiver="team", group_by=("owner", "tenant", "kind"))], owners=Owners(rules))
    arrivals = ((n * 0.06, of_tenant(f"a{n}", n % 50, KINDS[n % 8])) for n in range(1000))
    heard = lived(found, arrivals, until=60)
    assert len(heard) <= 10
    assert sum(one.alert_count for one in found.open_incidents()) == 1000


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


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(KINDS[:3]), st.floats(0, 2)), min_size=1, max_size=60),
    st.integers(2, 4),
    st.integers(1, 5),
)
def test_whatever_comes_no_alert_is_lost_in_a_storm_or_told_twice(
    arrivals: list[tuple[int, str, float]], tenants: int, incidents: int
) -> None:
    """Every alert is in one incident, and all of these are told."""
    found = Dispatcher([Route(receiver="team")], storm=StormRule(tenants=tenants, incidents=incidents))
    now, names = 0.0, count()
    heard: list[Notification] = []
    for tenant, kind, pause in arrivals:
        now += pause
        found.submit(of_tenant(f"a{next(names)}", tenant, kind), NOW + now)
        heard += told(found, now)
    heard += told(found, now + 2) + told(found, now + 70)
    told_of = [name for incident in found.open_incidents() for name in incident.members()]
    assert sorted(told_of) == sorted(f"a{number}" for number in range(len(arrivals)))
    assert {one.incident.id for one in heard} >= {incident.id for incident in found.open_incidents()}
    assert len(messages(heard)) == len({one.incident.id for one in heard})


def test_a_label_of_a_tenant_that_is_missing_is_no_tenant() -> None:
    labels: dict[Label, str] = {"kind": "burst"}
    found = Dispatcher([Route(receiver="team")])
    for name in "abc":
        found.submit(alert(name, labels=labels), NOW)
    assert len(found.open_incidents()) == 1
