"""What people say of incidents: acknowledged, muted, planned; each word once, and none of it lost in a restart."""

from typing import Any

import msgspec
import pytest

from alerts.alert import Label
from alerts.decide import Because
from alerts.desk import AlertDesk
from alerts.dispatcher import Dispatcher
from alerts.hours import Hours
from alerts.incident import Incident, moment
from alerts.kept import MOST_ALERTS
from alerts.routes import Route, Step
from alerts.silences import Silence
from alerts.throttle.command import Mode
from alerts.throttle.ledger import Ledger
from alerts.throttle.policy import Policy
from alerts.word import LONGEST, MOST_WORDS, Heard, Word
from tests.alerts.build import NOW, TRIAGE, alert

ROUTES = (
    Route(receiver="pager", match={"severity": "critical"}, go_on=True),
    Route(receiver="team", escalate=(Step(600, "boss"), Step(1200, "pager"))),
)


def made(*routes: Route) -> AlertDesk:
    return AlertDesk(Dispatcher(routes or ROUTES), Ledger([]), mute=60)


def told(desk: AlertDesk, after: float) -> list[tuple[str, Because]]:
    """Let time pass, deliver all that is due, and say to whom and why."""
    desk.tick(NOW + after)
    due = list(desk.dispatcher.pending(NOW + after))
    for notification in due:
        desk.dispatcher.delivered(notification, "ref", NOW + after)
    return [(one.receiver, one.because) for one in due]


def word(verdict: str, after: float = 10, **fields: Any) -> Word:
    return Word(
        **{
            "text": f"{verdict} by ann",
            "id": f"{verdict} {after}",
            "at": moment(NOW + after),
            "verdict": verdict,
            "by": "ann",
            **fields,
        }
    )


def opened(desk: AlertDesk, severity: str = "warning") -> Incident:
    desk.submit(alert(severity="critical" if severity == "critical" else "warning"), NOW)
    assert ("team", "new") in told(desk, 2)
    return next(one for one in desk.dispatcher.open_incidents() if one.receiver == "team")


@pytest.mark.parametrize(("verdict", "said"), [("throttle", "ann throttles it"), ("release", "ann lets it go")])
def test_who_throttles_or_lets_go_sees_at_once_that_it_was_heard(verdict: str, said: str) -> None:
    desk = made()
    found = opened(desk)
    assert desk.heed(word(verdict, incident=found.id), NOW + 10)[0] == "applied"
    assert told(desk, 10) == [("team", "answered")]
    assert found.word == said


def crowd(beyond: int, *policies: Policy) -> tuple[AlertDesk, Incident]:
    """An incident of so many alerts beyond those that are kept in full, the cheapest first; each of its own session."""
    desk = AlertDesk(Dispatcher([Route(receiver="team")]), Ledger(policies, most=1000))
    for number in range(MOST_ALERTS + beyond):
        labels: dict[Label, str] = {**TRIAGE, "session": f"s{number}"}
        desk.submit(alert(f"a{number}", labels=labels, usd=str(number)), NOW)
    (found,) = desk.dispatcher.open_incidents()
    return desk, found


@pytest.mark.parametrize("beyond", [0, 10])
def test_who_throttles_an_incident_is_told_of_how_many_alerts_it_does_not_hold(beyond: int) -> None:
    desk, found = crowd(beyond)
    outcome, changes = desk.heed(word("throttle", incident=found.id), NOW + 10)
    assert (outcome, len(changes)) == ("applied", MOST_ALERTS)
    left = "; not what is kept in short (10 of its alerts): name their scope"
    assert found.word == "ann throttles it" + (left if beyond else "")


def test_an_alert_that_is_kept_in_short_cannot_be_throttled_by_its_name_and_its_incident_says_so() -> None:
    desk, found = crowd(1)
    assert desk.heed(word("throttle", anomaly="a0"), NOW + 10) == ("unknown", [])
    assert found.word == "ann throttles it; not what is kept in short (1 of its alerts): name their scope"
    scope = {"tenant": "acme", "session": "s0"}
    outcome, (change,) = desk.heed(word("throttle", 11, scope=scope), NOW + 11)
    assert (outcome, change.key) == ("applied", "tenant=acme/session=s0")


def test_who_lets_an_alert_go_that_is_kept_in_short_frees_what_it_was_throttled_by() -> None:
    desk, _ = crowd(1, Policy(kind="burst", scope="session", action="pause", mode="enforce"))
    outcome, (change,) = desk.heed(word("release", anomaly="a0"), NOW + 10)
    assert (outcome, change.key) == ("applied", "tenant=acme/session=s0")
    again = alert("a0", "updated", after=11, labels={**TRIAGE, "session": "s0"}, usd="0.5")
    assert desk.submit(again, NOW + 11) == []


PAUSE = Policy(kind="burst", scope="agent", action="pause", mode="enforce")


@pytest.mark.parametrize("mode", ["suggest", "enforce"])
def test_that_a_command_lasts_is_said_once_and_not_at_each_renewal(mode: Mode) -> None:
    desk = AlertDesk(Dispatcher([Route(receiver="team")]), Ledger([msgspec.structs.replace(PAUSE, mode=mode)]))
    found = opened(desk)
    renewals = [change for after in range(3, 10_000, 5) for change in desk.tick(NOW + after)]
    assert len(renewals) > 10
    assert told(desk, 10_000) == []
    (note,) = found.notes
    assert note.endswith(
        " pause tenant=acme/use_case=support/agent=triage until 10:15:00 UTC, renewed while it goes on"
    )


@pytest.mark.parametrize("receiver", ["team", "audit"])
def test_who_lets_an_incident_go_that_is_over_frees_what_is_held_of_it_yet(receiver: str) -> None:
    """Of those who are told of the same alerts each may."""
    routes = [Route(receiver="team", go_on=True), Route(receiver="audit")]
    desk = AlertDesk(Dispatcher(routes), Ledger([PAUSE], hold=600))
    desk.submit(alert(), NOW)
    assert len(told(desk, 2)) == 2
    (found,) = (one for one in desk.dispatcher.open_incidents() if one.receiver == receiver)
    desk.submit(alert(state="closed", after=30), NOW + 30)
    assert told(desk, 30) == []
    outcome, (change,) = desk.heed(word("release", 40, incident=found.id), NOW + 40)
    assert (outcome, change.command.action if change.command else "") == ("applied", "release")
    assert sorted(told(desk, 40)) == [("audit", "resolved"), ("team", "resolved")]
    assert desk.heed(word("release", 50, incident=found.id), NOW + 50) == ("unknown", [])


def test_who_lets_a_tenant_of_an_incident_go_lets_go_of_no_other() -> None:
    desk = AlertDesk(Dispatcher([Route(receiver="team", group_by=("kind",))]), Ledger([PAUSE]))
    for tenant in ("acme", "globex"):
        desk.submit(alert(tenant, labels={**TRIAGE, "tenant": tenant}), NOW)
    (found,) = desk.dispatcher.open_incidents()
    said = word("release", incident=found.id, scope={"tenant": "acme"})
    outcome, (change,) = desk.heed(said, NOW + 10)
    assert (outcome, change.key.split("/")[0]) == ("applied", "tenant=acme")


def test_who_lets_a_tool_go_lets_go_of_nothing_else() -> None:
    pause = Policy(kind="burst", scope="session", action="pause", mode="enforce")
    desk = AlertDesk(Dispatcher([Route(receiver="team")]), Ledger([pause]))
    desk.submit(alert(labels={**TRIAGE, "session": "s1"}), NOW)
    of_search = {"tenant": "acme", "tool": "search"}
    desk.heed(word("throttle", 1, scope=of_search), NOW + 1)
    assert desk.heed(word("release", 2, scope={**of_search, "tool": "fetch"}), NOW + 2) == ("unknown", [])
    outcome, (change,) = desk.heed(word("release", 3, scope=of_search), NOW + 3)
    assert (outcome, change.key) == ("applied", "tenant=acme")
    assert [command.action for command in desk.ledger.live()] == ["pause"]


def test_who_throttles_an_incident_until_a_time_sees_it_end_then() -> None:
    desk = made()
    found = opened(desk)
    _, changes = desk.heed(word("throttle", incident=found.id, until=NOW + 1810), NOW + 10)
    assert [one.command.expires_at.timestamp() for one in changes if one.command] == [NOW + 1810]
    assert desk.tick(NOW + 1809) == []
    assert [one.command.action for one in desk.tick(NOW + 1810) if one.command] == ["release"]


def test_what_nobody_acknowledges_goes_to_the_next_and_the_one_after() -> None:
    desk = made()
    opened(desk)
    assert told(desk, 601) == []
    assert told(desk, 602) == [("team", "changed"), ("boss", "escalated")]
    assert ("pager", "escalated") in told(desk, 1202)
    desk.submit(alert(state="closed", after=1300), NOW + 1300)
    assert sorted(told(desk, 1300)) == [("boss", "resolved"), ("pager", "resolved"), ("team", "resolved")]


def test_an_acknowledgement_is_shown_at_once_and_stops_the_escalation_and_the_repeats() -> None:
    desk = made()
    found = opened(desk)
    assert desk.hear(word("acknowledge", incident=found.id), NOW + 10) == "applied"
    assert told(desk, 10) == [("team", "answered")]
    assert found.acknowledged is not None and found.acknowledged.by == "ann"
    assert found.notes[-1] == "acknowledge by ann"
    assert told(desk, 90_000) == []


def test_what_becomes_critical_reaches_further_receivers_and_is_acknowledged_anew() -> None:
    """The first ones are told of the change, too."""
    desk = made()
    found = opened(desk)
    desk.hear(word("acknowledge", incident=found.id), NOW + 10)
    told(desk, 10)
    desk.submit(alert(state="updated", after=100, severity="critical", usd="500"), NOW + 100)
    assert sorted(told(desk, 102)) == [("pager", "new"), ("team", "changed")]
    assert ("boss", "escalated") in told(desk, 702)


def test_who_acknowledges_at_one_receiver_has_acknowledged_at_all() -> None:
    desk = made()
    opened(desk, "critical")
    told(desk, 602)
    pager = next(one for one in desk.dispatcher.open_incidents() if one.receiver == "pager")
    desk.hear(word("acknowledge", incident=pager.id), NOW + 700)
    assert all(one.acknowledged for one in desk.dispatcher.open_incidents())
    assert sorted(told(desk, 700)) == [("boss", "answered"), ("pager", "answered"), ("team", "answered")]


def test_of_what_is_muted_nothing_is_told_until_the_mute_ends_but_that_it_is() -> None:
    desk = made()
    found = opened(desk)
    assert desk.hear(word("mute", incident=found.id, until=NOW + 500), NOW + 10) == "applied"
    assert told(desk, 10) == [("team", "answered")]
    desk.submit(alert(state="updated", after=100, usd="50"), NOW + 100)
    assert [told(desk, after) for after in (100, 499)] == [[], []]
    assert told(desk, 500) == [("team", "changed")]
    assert "mute by ann (tenant=acme kind=burst)" in found.notes


def test_a_mute_without_an_end_holds_as_long_as_is_configured() -> None:
    desk = made()
    opened(desk)
    desk.hear(word("mute", scope={"tenant": "acme"}), NOW + 10)
    assert told(desk, 10) == [("team", "answered")]
    desk.submit(alert("other", labels={**TRIAGE, "kind": "loop"}), NOW + 11)
    assert told(desk, 69) == []
    assert ("team", "new") in told(desk, 70)


def test_a_later_mute_of_the_same_takes_the_place_of_an_earlier_one() -> None:
    desk = made()
    desk.hear(word("mute", 1, scope={"tenant": "acme"}, until=NOW + 5000), NOW + 1)
    desk.submit(alert(), NOW + 2)
    assert told(desk, 10) == []
    desk.hear(word("mute", 20, scope={"tenant": "acme"}, until=NOW + 30), NOW + 20)
    assert told(desk, 30) == [("team", "new")]


def test_what_began_and_ended_while_it_was_muted_is_never_told() -> None:
    desk = made()
    desk.hear(word("mute", scope={"tenant": "acme"}, until=NOW + 500), NOW)
    desk.submit(alert(), NOW)
    desk.submit(alert(state="closed", after=100), NOW + 100)
    assert [told(desk, after) for after in (100, 500, 9000)] == [[], [], []]


def test_of_what_is_planned_only_the_end_is_told() -> None:
    """The detectors end what lies in a plan; whoever was told of it is to see that."""
    desk = made()
    found = opened(desk)
    desk.hear(word("planned", incident=found.id, until=NOW + 5000), NOW + 10)
    assert told(desk, 10) == [("team", "answered")]
    desk.submit(alert(state="updated", after=100, usd="50"), NOW + 100)
    assert told(desk, 100) == []
    desk.submit(alert(state="closed", after=101), NOW + 101)
    assert told(desk, 101) == [("team", "resolved")]
    assert any(note.startswith("planned by ann") for note in found.notes)


@pytest.mark.parametrize("verdict", ["expected", "false_alarm"])
def test_a_verdict_on_an_incident_is_noted_and_acknowledges_it(verdict: str) -> None:
    desk = made()
    found = opened(desk)
    assert desk.hear(word(verdict, incident=found.id), NOW + 10) == "applied"
    assert f"{verdict} by ann" in found.notes
    assert told(desk, 10) == [("team", "answered")]
    # Said of a series, it is for the detectors alone.
    assert desk.hear(word(verdict, 11, scope={"tenant": "acme"}), NOW + 11) == "ignored"


def test_a_word_counts_once_also_after_a_restart() -> None:
    desk = made()
    found = opened(desk)
    said = word("acknowledge", incident=found.id)
    assert desk.hear(said, NOW + 10) == "applied"
    revision = found.revision
    again = made()
    again.heard.restore({name: state for name, state in desk.heard.changes() if state})
    assert (desk.hear(said, NOW + 11), again.hear(said, NOW + 11)) == ("repeated", "repeated")
    assert found.revision == revision


@pytest.mark.parametrize("fields", [{"incident": "gone"}, {"anomaly": "gone"}, {"scope": {"tenant": "nobody"}}])
def test_a_word_on_what_nobody_knows_is_unknown(fields: dict[str, Any]) -> None:
    desk = made()
    opened(desk)
    assert desk.hear(word("acknowledge", **fields), NOW + 10) == "unknown"


def test_who_names_a_tenant_speaks_of_no_others_incident() -> None:
    desk = made()
    found = opened(desk)
    assert desk.hear(word("acknowledge", incident=found.id, scope={"tenant": "globex"}), NOW + 10) == "unknown"
    assert found.acknowledged is None


def test_words_are_forgotten_when_they_are_many_or_old() -> None:
    heard = Heard()
    for number in range(MOST_WORDS + 1):
        heard.add(word("mute", id=str(number)), NOW + number / 100)
    assert heard.add(word("mute", id="0"), NOW + 200)
    assert not heard.add(word("mute", id=str(MOST_WORDS)), NOW + 200)
    heard.tick(NOW + 201 + LONGEST)
    assert heard.add(word("mute", id=str(MOST_WORDS)), NOW + 300 + LONGEST)


LOUD: dict[Label, str] = {"tenant": "acme", "kind": "burst"}


def test_a_tenants_alarm_silences_its_childrens_and_that_of_a_silenced_tenant_does_not() -> None:
    by_agent = Route(receiver="team", group_by=("tenant", "kind", "agent"))
    desk = made(by_agent)
    desk.submit(alert("tenant", labels=LOUD), NOW)
    desk.submit(alert("agent"), NOW)
    assert len(told(desk, 2)) == 1
    desk.submit(alert("tenant", "closed", after=100, labels=LOUD), NOW + 100)
    # For a while after its end, too, so that the agent's can end with it.
    assert told(desk, 159) == [("team", "resolved")]
    assert told(desk, 160) == [("team", "new")]
    other = made(by_agent)
    other.submit(alert("tenant", labels=LOUD), NOW)
    other.submit(alert("agent"), NOW)
    (tenant,) = other.dispatcher.holding("tenant")
    other.dispatcher.silence(Silence(match={}, incident=tenant.id, until=NOW + 500, at=moment(NOW)))
    assert told(other, 2) == [("team", "new")]
    assert tenant.sent is None


def test_nothing_is_silenced_by_what_is_less_severe() -> None:
    desk = made(Route(receiver="team", group_by=("tenant", "kind", "agent")))
    desk.submit(alert("tenant", labels=LOUD, severity="warning"), NOW)
    desk.submit(alert("agent", severity="critical"), NOW)
    assert len(told(desk, 2)) == 2


def test_what_was_over_before_anybody_was_told_of_it_silences_nothing_more() -> None:
    """It would be a minute in which nobody hears of what goes on."""
    desk = made(Route(receiver="team"))
    desk.submit(alert("agent"), NOW)
    desk.submit(alert("tenant", labels=LOUD), NOW + 2)
    desk.submit(alert("tenant", "closed", after=2, labels=LOUD), NOW + 2)
    assert told(desk, 2) == [("team", "new")]


def test_an_old_record_that_is_read_again_brings_no_alarm_back() -> None:
    desk = made(Route(receiver="team", group_by=("tenant", "kind", "agent")))
    desk.submit(alert("tenant", labels=LOUD), NOW)
    assert told(desk, 2) == [("team", "new")]
    desk.submit(alert("tenant", "closed", after=3, labels=LOUD), NOW + 3)
    desk.submit(alert("tenant", labels=LOUD), NOW + 4)
    assert told(desk, 4) == [("team", "resolved")]
    desk.submit(alert("agent"), NOW + 100)
    assert told(desk, 102) == [("team", "new")]


def test_the_hard_line_of_a_budget_silences_the_soft_one() -> None:
    desk = made(Route(receiver="team", group_by=("tenant", "kind", "line")))
    for line, severity in (("soft", "warning"), ("hard", "critical")):
        labels: dict[Label, str] = {"tenant": "acme", "use_case": "support", "kind": "budget", "line": line}
        desk.submit(alert(line, labels=labels, severity="critical" if severity == "critical" else "warning"), NOW)
    desk.tick(NOW + 2)
    due = list(desk.dispatcher.pending(NOW + 2))
    assert [one.incident.group["line"] for one in due] == ["hard"]


def test_in_quiet_hours_people_sleep_but_for_what_is_critical_and_hear_of_the_rest_in_the_morning() -> None:
    night = Hours(name="night", start=9 * 60, end=11 * 60)
    desk = made(Route(receiver="team", quiet=(night,), escalate=(Step(60, "boss"),)))
    desk.submit(alert("a1"), NOW)
    desk.submit(alert("a2", labels={**TRIAGE, "kind": "loop"}, severity="critical"), NOW)
    desk.submit(alert("a3", labels={**TRIAGE, "tenant": "globex"}), NOW)
    desk.submit(alert("a3", "closed", after=900, labels={**TRIAGE, "tenant": "globex"}), NOW + 900)
    assert told(desk, 2) == [("team", "new")]
    assert sorted(told(desk, 3600)) == [
        ("boss", "escalated"),
        ("team", "changed"),
        ("team", "new"),
        ("team", "resolved"),
    ]


def test_who_sleeps_through_his_own_route_is_still_told_of_what_nobody_acknowledged() -> None:
    night = Hours(name="night", start=9 * 60, end=11 * 60)
    desk = made(
        Route(receiver="boss", quiet=(night,), go_on=True), Route(receiver="team", escalate=(Step(60, "boss"),))
    )
    desk.submit(alert(), NOW)
    assert told(desk, 2) == [("team", "new")]
    assert ("boss", "escalated") in told(desk, 62)


def test_each_reason_is_counted_once_for_as_long_as_it_lasts() -> None:
    desk = made()
    desk.submit(alert(), NOW)
    for quarter in range(8):
        told(desk, quarter / 4)
    assert desk.dispatcher.decided() == {"group_wait": 1}
    for after in (2, 2.25, 3, 60, 500):
        told(desk, after)
    assert desk.dispatcher.decided() == {"new": 1, "nothing_new": 1}
