"""The dispatcher groups alerts into incidents, and keeps what is due pending until it is delivered."""

from collections.abc import Mapping
from decimal import Decimal

from alerts.alert import Label
from alerts.decide import Because
from alerts.dispatcher import Dispatcher
from alerts.routes import Route
from tests.alerts.build import NOW, TRIAGE, alert

ROUTE = Route(receiver="finops", group_wait=2, group_interval=60, repeat_interval=3600)
TENANT_LEVEL: Mapping[Label, str] = {"tenant": "acme", "kind": "burst"}


def dispatcher(*routes: Route) -> Dispatcher:
    return Dispatcher(routes or (ROUTE,), keep_resolved=600)


def due(found: Dispatcher, after: float) -> list[Because]:
    return [notification.because for notification in found.pending(NOW + after)]


def deliver(found: Dispatcher, after: float, ref: str = "C0FINOPS:1.1") -> list[Because]:
    """Deliver all that is due, and say why it was."""
    told = list(found.pending(NOW + after))
    for notification in told:
        found.delivered(notification, ref, NOW + after)
    return [notification.because for notification in told]


def told(found: Dispatcher) -> Dispatcher:
    """Have the incident of an alert told at 2 s."""
    found.submit(alert(), NOW)
    assert deliver(found, 2) == ["new"]
    return found


def test_two_levels_of_one_burst_are_one_incident() -> None:
    found = dispatcher()
    agent = found.submit(alert("agent"), NOW)
    tenant = found.submit(alert("tenant", labels=TENANT_LEVEL), NOW + 1)
    assert agent is not None
    assert agent is tenant
    assert set(agent.alerts) == {"agent", "tenant"}
    assert due(found, 2) == ["new"]


def test_different_kinds_and_tenants_are_different_incidents() -> None:
    found = dispatcher()
    found.submit(alert("burst"), NOW)
    found.submit(alert("loop", labels={**TRIAGE, "kind": "loop"}), NOW)
    found.submit(alert("globex", labels={**TRIAGE, "tenant": "globex"}), NOW)
    assert len(found.open_incidents()) == 3
    assert due(found, 2) == ["new", "new", "new"]


def test_an_incident_goes_to_the_receiver_of_its_route() -> None:
    found = dispatcher(Route(receiver="acme", match={"tenant": "acme"}), Route(receiver="rest"))
    found.submit(alert("a1"), NOW)
    found.submit(alert("a2", labels={**TRIAGE, "tenant": "globex"}), NOW)
    assert [notification.receiver for notification in found.pending(NOW + 2)] == ["acme", "rest"]


def test_a_receiver_of_several_routes_is_told_of_an_alert_once_as_the_first_of_them_says() -> None:
    of_tenants = Route(receiver="finops", match={"kind": "burst"}, group_by=("tenant",), go_on=True)
    found = dispatcher(of_tenants, Route(receiver="ops", go_on=True), ROUTE)
    found.submit(alert(), NOW)
    pending = list(found.pending(NOW + 2))
    assert sorted(one.receiver for one in pending) == ["finops", "ops"]
    assert {"tenant": "acme"} in [one.incident.group for one in pending]


def test_an_alert_stays_in_its_incident_when_its_labels_change() -> None:
    found = dispatcher(Route(receiver="pager", match={"severity": "critical"}), ROUTE)
    first = found.submit(alert(), NOW)
    again = found.submit(alert(state="updated", after=1, severity="critical"), NOW + 1)
    assert first is again


def test_what_starts_after_the_end_is_a_new_incident() -> None:
    found = dispatcher()
    first = found.submit(alert("a1"), NOW)
    found.submit(alert("a1", "closed", after=1), NOW + 1)
    second = found.submit(alert("a2", after=2), NOW + 2)
    assert first is not None and second is not None
    assert (first.state, second.state) == ("resolved", "open")
    assert first.id != second.id


def test_the_end_of_what_is_not_known_is_nothing() -> None:
    found = dispatcher()
    assert found.submit(alert(state="closed"), NOW) is None
    assert (found.open_incidents(), list(found.changes()), list(found.news())) == ([], [], [])


def test_an_update_of_what_is_not_known_opens_an_incident() -> None:
    assert dispatcher().submit(alert(state="updated"), NOW) is not None


def test_what_is_not_delivered_stays_pending() -> None:
    found = dispatcher()
    found.submit(alert(), NOW)
    assert [due(found, after) for after in (0, 2, 2, 500)] == [[], ["new"], ["new"], ["new"]]


def test_what_is_delivered_is_not_repeated() -> None:
    found = told(dispatcher())
    assert [due(found, after) for after in (2, 60, 3601)] == [[], [], []]
    assert due(found, 3602) == ["repeat"]


def test_a_repeated_record_is_not_told_again() -> None:
    found = told(dispatcher())
    found.submit(alert(), NOW + 3)
    found.submit(alert(after=-5), NOW + 4)
    assert due(found, 500) == []


def test_a_change_is_told_with_the_reference_of_the_message_to_edit() -> None:
    found = told(dispatcher())
    found.submit(alert(state="updated", after=5, usd="8"), NOW + 5)
    assert due(found, 61) == []
    (notification,) = found.pending(NOW + 62)
    assert (notification.because, notification.previous) == ("changed", "C0FINOPS:1.1")


def test_an_empty_reference_is_no_message_to_edit() -> None:
    """The fallback receiver has none to give: the next notification is then a new message."""
    found = dispatcher()
    found.submit(alert(), NOW)
    deliver(found, 2, ref="")
    found.submit(alert(state="closed", after=5), NOW + 5)
    assert [notification.previous for notification in found.pending(NOW + 5)] == [None]


def test_the_end_is_told_at_once_and_only_once() -> None:
    found = told(dispatcher())
    found.submit(alert(state="closed", after=5), NOW + 5)
    assert deliver(found, 5) == ["resolved"]
    found.remarks.note(next(name for name, _ in found.news()), "released")
    assert due(found, 9999) == []


def test_what_changed_during_delivery_is_told_next() -> None:
    """A notification is a copy: a change, or the end, that comes while it is sent is not taken for told."""
    found = dispatcher()
    found.submit(alert("a1"), NOW)
    (in_flight,) = found.pending(NOW + 2)
    found.submit(alert("a2", after=3), NOW + 3)
    found.remarks.note(in_flight.incident.id, "told gateways to pause")
    assert (set(in_flight.incident.alerts), in_flight.incident.notes) == ({"a1"}, [])
    found.delivered(in_flight, "C0FINOPS:1.1", NOW + 4)
    assert (due(found, 5), due(found, 64)) == ([], ["changed"])


def test_the_end_that_comes_during_delivery_is_told_at_once() -> None:
    found = dispatcher()
    found.submit(alert(), NOW)
    (in_flight,) = found.pending(NOW + 2)
    found.submit(alert(state="closed", after=3), NOW + 3)
    found.delivered(in_flight, "C0FINOPS:1.1", NOW + 4)
    assert due(found, 4) == ["resolved"]


def test_the_delivery_of_a_forgotten_incident_is_no_news() -> None:
    found = dispatcher()
    found.submit(alert(), NOW)
    (in_flight,) = found.pending(NOW + 2)
    found.submit(alert(state="closed", after=1), NOW + 3)
    found.tick(NOW + 9999)
    list(found.changes())
    found.delivered(in_flight, "C0FINOPS:1.1", NOW + 9999)
    assert list(found.changes()) == []


def test_what_people_were_not_told_yet_is_never_forgotten() -> None:
    """Slack may be away for longer than resolved incidents are kept."""
    found = dispatcher()
    found.submit(alert(), NOW)
    found.submit(alert(state="closed", after=60), NOW + 60)
    found.tick(NOW + 99999)
    assert [due.because for due in found.pending(NOW + 99999)] == ["resolved"]


def test_a_note_of_an_unknown_incident_is_nothing() -> None:
    found = dispatcher()
    found.remarks.note("unknown", "acknowledged")
    assert list(found.changes()) == []


def test_a_restored_dispatcher_has_the_same_pending() -> None:
    """What `changes` wrote down is all there is: the delivered stays delivered, the rest pending."""
    found = told(dispatcher())
    found.submit(alert("a2", labels={**TRIAGE, "kind": "loop"}), NOW + 3)
    found.submit(alert("a3", labels={**TRIAGE, "tenant": "globex"}), NOW + 9)
    found.remarks.note(found.open_incidents()[0].id, "told gateways to pause")
    after = dispatcher()
    after.restore({name: state for name, state in found.changes() if state})
    for at in (3, 5, 11, 62, 4000):
        assert list(after.pending(NOW + at)) == list(found.pending(NOW + at))
    assert due(after, 62) == ["changed", "new", "new"]
    assert list(after.changes()) == []


def test_changes_and_news_are_given_once() -> None:
    found = dispatcher()
    opened = found.submit(alert(), NOW)
    assert opened is not None
    assert [name for name, _ in found.changes()] == [opened.id]
    assert list(found.changes()) == []
    assert list(found.news()) == [(opened.id, opened)]
    assert list(found.news()) == []


def test_what_is_long_over_is_forgotten_and_said_to_be() -> None:
    found = told(dispatcher())
    found.submit(alert(state="closed", after=5), NOW + 5)
    deliver(found, 10)
    list(found.changes()), list(found.news())
    found.tick(NOW + 610)
    assert list(found.changes()) == []
    found.tick(NOW + 611)
    assert [state for _, state in found.changes()] == [None]
    assert [state for _, state in found.news()] == [None]


def test_what_must_still_be_told_is_never_forgotten() -> None:
    found = told(dispatcher())
    found.submit(alert(state="closed", after=5), NOW + 5)
    found.tick(NOW + 99_999)
    assert due(found, 99_999) == ["resolved"]


def test_what_goes_on_is_never_forgotten() -> None:
    found = told(dispatcher())
    found.tick(NOW + 99_999)
    assert len(found.open_incidents()) == 1


def test_what_throttling_saved_counts_once_where_several_are_told_of_it() -> None:
    found = dispatcher(Route(receiver="pager", go_on=True), Route(receiver="finops"))
    first = found.submit(alert(), NOW)
    assert first is not None
    found.remarks.throttled(first.id, "tenant=acme")
    assert [one.commands for one in found.open_incidents()] == [["tenant=acme"]] * 2
    found.remarks.released("tenant=acme", first.id, Decimal("2.50"))
    assert [one.commands for one in found.open_incidents()] == [[], []]
    assert sum(one.usd_saved for one in found.open_incidents()) == Decimal("2.50")
