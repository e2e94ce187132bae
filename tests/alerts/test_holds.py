"""An alarm makes others superfluous only where people hear of it: somebody hears of everything."""

from collections.abc import Mapping
from datetime import timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.alert import Label
from alerts.decide import Because, Reason
from alerts.dispatcher import Dispatcher
from alerts.hours import Hours
from alerts.routes import Route
from alerts.silences import Silence
from tests.alerts.build import NOW, START, alert

TENANT: Mapping[Label, str] = {"tenant": "acme", "kind": "burst"}
USE_CASE: Mapping[Label, str] = {**TENANT, "use_case": "support"}
MINUTE = 60.0


def minutes_after_ten(start: int, end: int) -> Hours:
    """NOW is ten o'clock."""
    return Hours(name="office", start=10 * 60 + start, end=10 * 60 + end)


def dispatcher(office: Hours | None = None, wait: float = 2.0) -> Dispatcher:
    """The tenant's alarm goes to those of the office, that of its use case to those who are there at any time."""
    hours = (office,) if office else ()
    always = Route(receiver="always", match={"use_case": "support"})
    return Dispatcher([always, Route(receiver="office", hours=hours, group_wait=wait)])


def test_an_alarm_that_joins_at_night_what_people_know_by_day_makes_nothing_superfluous() -> None:
    """Nobody has heard of it: the change is told when the office is open again."""
    found = dispatcher(minutes_after_ten(-60, 10))
    found.submit(alert("by day", labels=TENANT), NOW)
    assert told(found, NOW + 2) == [("office", "new")]
    night = NOW + 20 * MINUTE
    began = START + timedelta(minutes=20)
    joins = msgspec.structs.replace(alert("at night", labels=TENANT, after=1200), opened_at=began)
    found.submit(joins, night)
    found.submit(alert("by day", "closed", after=1201, labels=TENANT), night + 1)
    found.submit(alert("use case", labels=USE_CASE, after=1300), night + 100)
    assert told(found, night + 102) == [("always", "new")]


def both(found: Dispatcher) -> Dispatcher:
    found.submit(alert("tenant", labels=TENANT), NOW)
    found.submit(alert("use case", labels=USE_CASE), NOW)
    return found


def told(found: Dispatcher, at: float) -> list[tuple[str, Because]]:
    """Deliver all that is due at a moment."""
    due = list(found.pending(at))
    for one in due:
        found.delivered(one, "ref", at)
    return [(one.receiver, one.because) for one in due]


def reason(found: Dispatcher, name: str, at: float) -> Reason:
    (incident,) = found.holding(name)
    return found.explain(incident, at)[0].reason


def test_an_alarm_that_is_told_makes_that_of_its_use_case_superfluous() -> None:
    found = both(dispatcher())
    assert told(found, NOW + 2) == [("office", "new")]
    assert reason(found, "use case", NOW + 2) == "inhibited"


def test_an_alarm_that_waits_for_its_receivers_hours_silences_no_other() -> None:
    """Once it was told, it does."""
    found = both(dispatcher(minutes_after_ten(10, 20)))
    assert told(found, NOW + 2) == [("always", "new")]
    assert told(found, NOW + 10 * MINUTE) == [("office", "new")]
    assert reason(found, "use case", NOW + 10 * MINUTE) == "inhibited"


def test_what_was_told_in_its_hours_silences_others_when_they_have_ended() -> None:
    found = both(dispatcher(minutes_after_ten(0, 5)))
    assert told(found, NOW + 2) == [("office", "new")]
    assert told(found, NOW + 6 * MINUTE) == []
    assert reason(found, "use case", NOW + 6 * MINUTE) == "inhibited"


def test_what_an_alarm_silenced_is_told_when_its_hours_end_before_it_was_told() -> None:
    """It waited for company until they had ended; whoever waits for what is due is woken."""
    found = both(dispatcher(minutes_after_ten(0, 5), wait=600.0))
    assert told(found, NOW + 2) == []
    assert reason(found, "use case", NOW + 2) == "inhibited"
    assert found.due == NOW + 5 * MINUTE
    assert told(found, NOW + 5 * MINUTE) == [("always", "new")]


def test_what_an_alarm_silenced_is_told_when_that_alarm_is_muted() -> None:
    found = both(dispatcher())
    told(found, NOW + 2)
    (source,) = found.holding("tenant")
    found.silence(Silence(match={}, incident=source.id, until=NOW + 600, at=START))
    assert told(found, NOW + 3) == [("always", "new")]


def test_what_is_partly_muted_and_partly_planned_is_told_when_the_first_of_the_two_ends() -> None:
    found = Dispatcher([Route(receiver="always", group_by=("tenant",))], inhibit=())
    found.submit(alert("burst", labels={**TENANT, "use_case": "support"}), NOW)
    found.submit(alert("loop", labels={**TENANT, "kind": "loop"}), NOW)
    found.silence(Silence(match={"kind": "burst"}, until=NOW + 10, kind="planned", at=START))
    found.silence(Silence(match={"kind": "loop"}, until=NOW + 100, at=START))
    assert told(found, NOW + 2) == []
    assert (reason(found, "burst", NOW + 2), found.due) == ("silenced", NOW + 10)
    assert told(found, NOW + 10) == [("always", "new")]


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 20),
    st.integers(1, 20),
    st.sampled_from([0.0, 2.0, 150.0]),
    st.integers(0, 20),
    st.integers(0, 20),
)
def test_whatever_the_hours_what_goes_on_is_told_or_explained_by_what_is(
    start: int, lasts: int, wait: float, first: int, second: int
) -> None:
    found = dispatcher(minutes_after_ten(start, start + lasts), wait)
    heard: dict[str, float] = {}
    for minute in range(45):
        at = NOW + minute * MINUTE
        for name, labels, arrives in (("tenant", TENANT, first), ("use case", USE_CASE, second)):
            if minute == arrives:
                found.submit(alert(name, labels=labels), at)
        for moment in (at, at + 2.0):
            heard |= {receiver: heard.get(receiver, moment) for receiver, _ in told(found, moment)}
        in_office = 0 <= minute - start < lasts
        if minute >= second and "always" not in heard:
            assert minute >= first and ("office" in heard or in_office), minute
