"""A run that failed can be run again: its seed gives the same faults, in the same order, with the same chances."""

from collections import Counter

from tests.chaos.faults import FAULTS, OF_OUR_BROKER
from tests.chaos.plan import Plan
from tests.chaos.totals import Totals


def test_a_seed_gives_the_same_faults_with_the_same_chances() -> None:
    first, second = ([(step.fault, step.settle, step.dice.random()) for step in Plan("7/3", True)] for _ in range(2))
    assert first == second


def test_the_long_run_kills_twenty_workers_and_more_and_has_every_fault_several_times() -> None:
    counts = Counter(Plan("7/3", True).faults)
    assert counts["kill"] >= 20
    assert min(counts[fault] for fault in FAULTS) >= 3


def test_what_needs_a_broker_of_our_own_can_be_left_out() -> None:
    assert not set(Plan("7/3", False, OF_OUR_BROKER).faults) & set(OF_OUR_BROKER)


def test_totals_tell_to_the_last_femtodollar_what_differs() -> None:
    produced, metered = Totals(), Totals()
    event = {"tenant": "acme", "kind": "llm", "cost_usd": "0.000000000000002", "input_tokens": 5}
    produced.produced(event)
    assert metered.beyond(produced) == {
        ("acme", "all kinds"): {"events": -1, "input_tokens": -5, "usd": -2, "usd of llm": -2},
        ("acme", "llm"): {"events": -1, "input_tokens": -5, "usd": -2},
    }
    metered.produced(event)
    assert metered.beyond(produced) == {}
