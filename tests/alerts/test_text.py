"""An incident in words."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.text import cost, headline, history, money, plain, readable, reasons, short_money, span, used, who
from alerts.throttle.command import CommandScope
from tests.alerts.build import TRIAGE, alert, incident


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "$0.00"),
        ("0.0042", "$0.0042"),
        ("0.01", "$0.01"),
        ("18.2", "$18.20"),
        ("47000", "$47,000.00"),
        ("-5", "-$5.00"),
    ],
)
def test_money_is_written_for_people(amount: str, text: str) -> None:
    assert money(Decimal(amount)) == text


def test_less_than_nothing_has_its_sign_before_the_dollars() -> None:
    assert [short_money(Decimal(amount)) for amount in ("-8.4", "-362.46")] == ["-$8.40", "-$362"]


@pytest.mark.parametrize(
    ("observed", "limit", "said"),
    [(2.3, 2.5, "$2.30 of $2.50"), (80.0, 99.0, "$80 of $99"), (475.2, 500.0, "$475 of $500")],
)
def test_of_a_small_budget_the_cents_are_told(observed: float, limit: float, said: str) -> None:
    budget = alert(labels={"tenant": "acme", "kind": "budget"})
    found = msgspec.structs.replace(budget, series="tenant=acme#budget-usd", observed=observed, expected=limit)
    assert used(found) == said


def test_the_headline_says_who_does_what_and_how_bad_it_is() -> None:
    assert headline(incident()) == "🟠 acme · support · triage spends far above its usual rate"
    loop = alert(labels={"tenant": "acme", "kind": "loop"}, severity="critical")
    assert headline(incident(loop)) == "🔴 acme runs in a loop"


def test_a_kind_without_words_of_its_own_is_named() -> None:
    assert headline(incident(alert(labels={**TRIAGE, "kind": "leak"}))).endswith(" shows a leak")


def test_the_end_is_a_headline_with_the_whole_cost_and_time() -> None:
    over = incident(alert(), alert(state="closed", after=90, usd="2"))
    assert headline(over) == "🟢 acme · support · triage is back to normal"
    assert cost(over) == "$2.00 above normal in all"
    assert span(over) == "since 2026-11-22 10:00:00 until 2026-11-22 10:01:30 UTC"


def test_an_open_incident_says_what_it_goes_on_costing() -> None:
    assert cost(incident()) == "$1.50 above normal so far, $18.20 an hour if nobody acts"
    assert span(incident()) == "since 2026-11-22 10:00:00 UTC"


def test_reasons_are_told_once_the_dearest_first_and_not_all() -> None:
    alerts = [alert(f"a{number}", usd=str(number), reason=f"reason {number}") for number in range(8)]
    found = reasons(incident(*alerts, alert("same", usd="7", reason="reason 7")))
    assert found[0] == "acme · support · triage: reason 7"
    assert found[-2:] == ["acme · support · triage: reason 3", "and 3 more"]
    assert len(found) == 6


def test_the_latest_notes_are_told() -> None:
    found = incident()
    for number in range(7):
        found.note(f"note {number}")
    assert history(found) == ["note 2", "note 3", "note 4", "note 5", "note 6"]


@given(st.text())
def test_no_name_can_forge_a_line_or_reach_the_terminal(name: str) -> None:
    assert plain(name).isprintable()
    assert len(plain(name)) == len(name)
    hostile = alert(labels={"tenant": f"x{name}", "kind": "burst"}, reason=name)
    found = incident(hostile)
    found.note(name)
    assert all(line.isprintable() for line in (who(hostile), headline(found), *reasons(found), *history(found)))


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126)))
def test_printable_names_are_left_as_they_are(name: str) -> None:
    assert plain(name) == name


NAMES = st.text(st.sampled_from("ab /=% "), min_size=1, max_size=8)


@given(NAMES, NAMES, NAMES, st.sampled_from(["until", "at"]))
def test_a_note_names_a_scope_as_people_call_it_whatever_is_in_its_names(
    tenant: str, use_case: str, agent: str, word: str
) -> None:
    note = f"told gateways to pause {CommandScope(tenant, use_case, agent).key()} {word} 10:00:00 UTC"
    assert readable(note) == f"told gateways to pause {tenant} · {use_case} · {agent} {word} 10:00:00 UTC"


def test_what_people_write_of_a_scope_stays_as_it_is() -> None:
    assert readable("ann: tenant=x y=z at 10:00:00 UTC, see b") == "ann: x y=z at 10:00:00 UTC, see b"
