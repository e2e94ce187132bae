"""Cases that people's policies forbid are followed untold, and told when they outgrow or outlast them."""

from decimal import Decimal

import msgspec

from streamer.clock import utc
from streamer.judges.cases import Cases, Reading, WrittenCases
from streamer.judges.policies import Policies
from streamer.records import Anomaly, Scope

SERIES, TRIAGE = "tenant=acme#requests", Scope("support", "triage")


def reading(score: float, usd: str = "1") -> Reading:
    return Reading(observed=10, expected=1, score=score, usd_excess=Decimal(usd), usd_per_hour=Decimal(2), reason="x")


class Told:
    """Cases of acme, and what is taken of them."""

    def __init__(self) -> None:
        self.policies = Policies()
        self.cases = Cases("acme", self.policies)

    def take(self) -> list[tuple[str, str, float]]:
        return [(a.state, a.id, a.updated_at.timestamp()) for a in self.cases.taken()]

    def states(self) -> list[str]:
        return [state for state, _, _ in self.take()]


def test_a_case_that_is_forbidden_is_open_and_nothing_is_told_of_it() -> None:
    told = Told()
    told.policies.plan(Scope("support"), 100.0, 0.0)
    told.cases.open("burst", SERIES, TRIAGE, 10.0, reading(0.9))
    told.cases.update(SERIES, 20.0, reading(0.95))
    assert SERIES in told.cases
    assert told.cases.is_untold(SERIES)
    told.cases.close(SERIES, 30.0)
    assert told.take() == []
    assert SERIES not in told.cases
    assert told.cases.told("", SERIES) is None


def test_a_case_that_outlasts_the_plan_is_opened_when_it_is_next_seen() -> None:
    told = Told()
    told.policies.plan(Scope("support"), 100.0, 0.0)
    told.cases.open("burst", SERIES, TRIAGE, 10.0, reading(0.9))
    told.cases.update(SERIES, 110.0, reading(0.4))
    assert told.take() == []
    told.cases.update(SERIES, 120.0, reading(0.7))
    ((state, _, at),) = told.take()
    assert (state, at) == ("opened", 120.0)
    told.cases.close(SERIES, 130.0)
    assert told.states() == ["closed"]


def test_what_is_dismissed_is_closed_once_and_told_anew_only_when_it_is_stronger() -> None:
    told = Told()
    told.cases.open("burst", SERIES, TRIAGE, 10.0, reading(0.6))
    told.policies.excuse(SERIES, "false_alarm", 0.6, 20.0)
    told.cases.dismiss(SERIES, 20.0)
    told.cases.dismiss(SERIES, 21.0)
    (opened, closed) = told.take()
    assert (closed[0], closed[1], closed[2]) == ("closed", opened[1], 20.0)
    told.cases.update(SERIES, 30.0, reading(0.6, usd="9"))
    assert told.take() == []
    told.cases.update(SERIES, 40.0, reading(0.7))
    told.cases.update(SERIES, 50.0, reading(0.6))
    (again, updated) = told.take()
    assert (again[0], updated[0]) == ("opened", "updated")
    assert again[1] == updated[1] != opened[1]


def test_the_dollars_of_before_are_not_counted_again() -> None:
    told = Told()
    told.cases.open("burst", SERIES, TRIAGE, 10.0, reading(0.6, usd="5"))
    told.cases.dismiss(SERIES, 20.0)
    assert told.cases.excess(SERIES) == 0
    assert told.cases.taken()[-1].usd_excess == 5


def test_what_was_so_when_people_spoke_is_what_they_spoke_of() -> None:
    told = Told()
    told.cases.open("burst", SERIES, TRIAGE, 10.0, reading(0.6))
    told.cases.dismiss(SERIES, 20.0)
    told.take()
    told.cases.update(SERIES, 20.0, reading(0.99))
    assert told.take() == []
    told.cases.update(SERIES, 21.0, reading(0.99))
    assert told.states() == ["opened"]


def test_a_plan_dismisses_what_lies_in_its_scope_and_nothing_else() -> None:
    told = Told()
    told.cases.open("burst", "a", TRIAGE, 10.0, reading(0.6))
    told.cases.open("burst", "b", Scope("search"), 10.0, reading(0.6))
    told.take()
    told.cases.dismiss_in(Scope("support"), 20.0)
    assert [told.cases.is_untold(series) for series in ("a", "b")] == [True, False]
    assert told.states() == ["closed"]


def test_a_case_whose_judge_speaks_once_is_told_when_the_plan_ends() -> None:
    told = Told()
    told.policies.plan(Scope(), 100.0, 0.0)
    for kind in ("budget", "burst"):
        told.cases.open(kind, kind, Scope(), 10.0, reading(0.6))  # type: ignore[arg-type]
    assert told.cases.due == 100.0
    told.policies.plan(Scope("support"), 500.0, 50.0)
    told.cases.on_time(107.0)
    ((state, _, at),) = told.take()
    assert (state, at) == ("opened", 100.0)
    assert not told.cases.is_untold("budget")
    assert told.cases.due == float("inf")


def test_a_plan_that_is_prolonged_is_waited_for() -> None:
    told = Told()
    told.policies.plan(Scope(), 100.0, 0.0)
    told.cases.open("silence", SERIES, Scope(), 10.0, reading(0.5))
    told.policies.plan(Scope(), 200.0, 50.0)
    told.cases.on_time(100.0)
    assert (told.take(), told.cases.due) == ([], 200.0)
    told.cases.on_time(230.0)
    assert told.states() == ["opened"]


def test_people_can_answer_to_what_is_over_and_by_its_worst() -> None:
    told = Told()
    told.cases.open("burst", SERIES, TRIAGE, 10.0, reading(0.6))
    told.cases.update(SERIES, 20.0, reading(0.8))
    told.cases.update(SERIES, 30.0, reading(0.5))
    told.cases.close(SERIES, 40.0)
    ((_, name, _), *_) = told.take()
    for found in (told.cases.told(name, ""), told.cases.told("", SERIES), told.cases.told("nobody", SERIES)):
        assert found is not None
        assert (found.id, found.scope, found.score) == (name, TRIAGE, 0.8)
    assert told.cases.told("nobody", "") is None


def test_what_people_can_answer_to_is_bounded() -> None:
    told = Told()
    for number in range(60):
        told.cases.open("loop", f"s{number}", Scope(session=f"s{number}"), float(number), reading(0.6))
    assert told.cases.told("", "s9") is None
    assert told.cases.told("", "s10") is not None


def test_cases_are_written_and_taken_up_to_the_byte() -> None:
    told = Told()
    told.policies.plan(Scope("support"), 100.0, 0.0)
    told.cases.open("silence", "a", TRIAGE, 10.0, reading(0.6))
    told.cases.open("burst", "c", Scope(), 10.0, reading(0.6))
    told.cases.open("burst", "b", Scope(), 10.0, reading(0.6))
    told.cases.dismiss("b", 20.0)
    told.cases.taken()
    written = msgspec.msgpack.encode(told.cases.snapshot())
    again = Cases("acme", told.policies)
    again.restore(msgspec.msgpack.decode(written, type=WrittenCases))
    assert msgspec.msgpack.encode(again.snapshot()) == written
    assert again.due == told.cases.due == 100.0
    again.on_time(100.0)
    (opened,) = again.taken()
    assert isinstance(opened, Anomaly)
    assert (opened.series, opened.opened_at) == ("a", utc(100.0))
