"""The life of an incident: opened, updated, closed, whatever is said twice or late."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.alert import RANK, Alert, Label
from alerts.incident import MOST_NOTES, Incident, incident_id, moment
from alerts.kept import MOST_ALERTS
from tests.alerts.build import NOW, START, alert, incident

states = st.sampled_from(["opened", "updated", "closed"])
records = st.lists(
    st.builds(
        alert,
        st.sampled_from(["a1", "a2", "a3"]),
        states,
        after=st.integers(0, 5),
        severity=st.sampled_from(["info", "warning", "critical"]),
        usd=st.sampled_from(["0", "1", "2.5"]),
    ),
    min_size=1,
    max_size=12,
)


def written(incident: Incident) -> bytes:
    return msgspec.msgpack.encode(incident)


def test_an_alert_opens_an_incident_with_its_cost_and_severity() -> None:
    found = incident(alert(usd="1.50", severity="warning"))
    assert (found.state, found.severity, found.revision) == ("open", "warning", 1)
    assert (found.usd_excess, found.usd_per_hour) == (Decimal("1.50"), Decimal("18.20"))


def test_a_growing_cost_is_a_change() -> None:
    found = incident(alert(), alert(state="updated", after=1, usd="2"))
    assert (found.usd_excess, found.revision) == (Decimal(2), 2)


def test_a_record_that_adds_nothing_is_no_change() -> None:
    found = incident(alert(), alert(state="updated", after=1))
    assert (found.revision, found.updated_at) == (1, moment(NOW + 1))


def test_the_greatest_cost_stands_for_all_levels() -> None:
    """Alerts of one incident see the same spend, so their costs do not add up."""
    found = incident(alert("a1", usd="3"), alert("a2", usd="2"))
    assert found.usd_excess == Decimal(3)


def test_severity_and_cost_never_shrink() -> None:
    found = incident(alert(severity="critical", usd="9"), alert(state="updated", after=1, severity="info", usd="1"))
    assert (found.severity, found.usd_excess) == ("critical", Decimal(9))


def test_an_incident_is_over_when_its_last_alert_is() -> None:
    found = incident(alert("a1"), alert("a2"), alert("a1", "closed", after=5))
    assert found.state == "open"
    found.take(alert("a2", "closed", after=7))
    assert (found.state, found.resolved_at, found.usd_per_hour) == ("resolved", moment(NOW + 7), Decimal(0))


def test_a_repeated_record_changes_nothing() -> None:
    """Crash replay sends the same record again."""
    found = incident(alert(), alert(state="updated", after=1, usd="2"))
    before = written(found)
    found.take(alert(state="updated", after=1, usd="2"))
    assert written(found) == before


def test_an_older_record_changes_nothing() -> None:
    found = incident(alert(), alert(state="updated", after=9, usd="2"))
    before = written(found)
    found.take(alert(state="updated", after=5, usd="1000"))
    found.take(alert())
    assert written(found) == before


def test_what_is_closed_stays_closed() -> None:
    found = incident(alert(), alert(state="closed", after=5))
    before = written(found)
    found.take(alert(state="updated", after=9, usd="1000"))
    assert written(found) == before


def test_of_more_alerts_than_a_person_reads_the_dearest_are_kept_and_all_are_counted() -> None:
    found = incident(*(alert(f"a{number}", usd=str(number)) for number in range(MOST_ALERTS + 5)))
    assert set(found.alerts) == {f"a{number}" for number in range(5, MOST_ALERTS + 5)}
    assert (found.alert_count, found.tenant_count, found.revision) == (MOST_ALERTS + 5, 1, MOST_ALERTS + 5)


def test_an_incident_of_many_alerts_is_over_when_the_last_of_all_is() -> None:
    """Also of those that nobody reads."""
    names = [f"a{number}" for number in range(MOST_ALERTS + 5)]
    found = incident(*map(alert, names))
    for name in names[1:]:
        found.take(alert(name, "closed", after=5))
    assert found.state == "open"
    found.take(alert(names[0], "closed", after=6))
    assert found.state == "resolved"


def test_the_costs_of_tenants_add_up() -> None:
    """Alerts of one tenant see the same spend, those of two do not."""
    labels = {"tenant": "globex", "kind": "burst"}
    found = incident(alert("a1", usd="3"), alert("a2", usd="2"), alert("b1", usd="5", labels=labels))
    assert (found.usd_excess, found.usd_per_hour) == (Decimal(8), Decimal("36.40"))


def test_what_was_acknowledged_and_becomes_more_severe_is_acknowledged_anew() -> None:
    found = incident(alert())
    found.acknowledge("ann", START)
    found.take(alert("a2"))
    assert found.acknowledged is not None
    found.take(alert("a3", severity="critical"))
    assert found.acknowledged is None


def test_a_note_is_a_change_and_the_latest_notes_are_kept() -> None:
    """A fleet of gateways has many words to say: the state of an incident stays small."""
    found = incident()
    for number in range(MOST_NOTES + 3):
        found.note(f"note {number}")
    assert found.revision == 1 + MOST_NOTES + 3
    assert len(found.notes) == MOST_NOTES
    assert found.notes[-1] == f"note {MOST_NOTES + 2}"


def test_the_main_alert_is_open_then_dear_then_narrow() -> None:
    wide = alert("wide", labels={"tenant": "acme", "kind": "burst"})
    dear = alert("dear", usd="5", labels={"tenant": "acme", "kind": "burst"})
    over = alert("over", usd="9")
    assert incident(wide, alert("narrow")).main.id == "narrow"
    assert incident(alert("narrow"), dear).main.id == "dear"
    assert incident(dear, over, alert("over", "closed", after=1)).main.id == "dear"


def test_ids_differ_by_receiver_group_and_alert() -> None:
    groups: list[Mapping[Label, str]] = [{"tenant": "acme"}, {"tenant": "globex"}, {"agent": "acme"}]
    ids = {
        incident_id(receiver, group, alert(name))
        for receiver in ("finops", "console")
        for group in groups
        for name in ("a1", "a2")
    }
    assert len(ids) == 12
    same: list[Mapping[Label, str]] = [{"kind": "burst", "tenant": "acme"}, {"tenant": "acme", "kind": "burst"}]
    assert len({incident_id("finops", group, alert()) for group in same}) == 1


@pytest.mark.parametrize("at", [0.0004, 0.9996])
def test_a_moment_has_whole_milliseconds(at: float) -> None:
    assert moment(NOW + at).microsecond % 1000 == 0
    assert moment(NOW) == START


def test_a_budget_that_comes_to_another_line_is_news() -> None:
    at_soft = alert(labels={"tenant": "acme", "kind": "budget", "line": "soft"})
    found = incident(at_soft)
    before = found.revision
    found.take(alert(state="updated", after=1, labels={"tenant": "acme", "kind": "budget", "line": "soft"}))
    assert found.revision == before
    found.take(alert(state="updated", after=2, labels={"tenant": "acme", "kind": "budget", "line": "hard"}))
    assert found.revision == before + 1


def lived(records: list[Alert]) -> Iterator[Incident]:
    """Take in records one by one, as a dispatcher does: what is over takes in nothing new."""
    found = incident(records[0])
    yield found
    for record in records[1:]:
        if found.state == "open" or record.id in found.alerts:
            found.take(record)
            yield found


@given(records)
def test_hearing_the_latest_word_of_each_alert_again_changes_nothing(records: list[Alert]) -> None:
    for found in lived(records):
        before = written(found)
        for known in list(found.alerts.values()):
            found.take(known)
        assert written(found) == before


@given(records)
def test_an_incident_is_resolved_exactly_when_all_its_alerts_are_closed(records: list[Alert]) -> None:
    for found in lived(records):
        closed = all(known.state == "closed" for known in found.alerts.values())
        assert (found.state == "resolved") == closed == (found.resolved_at is not None)


@given(records)
def test_an_incident_only_ever_gets_worse_until_it_is_over(records: list[Alert]) -> None:
    """Its cost, severity and revision never shrink, and cover those of each of its alerts."""
    seen: list[tuple[int, Decimal, int]] = []
    for found in lived(records):
        seen.append((found.revision, found.usd_excess, RANK[found.severity]))
        assert all(found.usd_excess >= known.usd_excess for known in found.alerts.values())
        assert all(RANK[found.severity] >= RANK[known.severity] for known in found.alerts.values())
    assert all(earlier[part] <= later[part] for earlier, later in pairwise(seen) for part in range(3))
