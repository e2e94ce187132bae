"""Whoever names a date is asked for it in a dialog, and what is entered there is an answer like any other."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.slack.answers import Unusable, Verdict, answer_of
from alerts.slack.dialog import Asked, Mistaken, answer_of_view, asked_of, is_submitted, view_of
from alerts.slack.render import message
from tests.alerts.build import START, incident, notification
from tests.slack.limits import problems_of_view
from tests.slack.press import pressed, submitted

NOW = START + timedelta(minutes=25)
TOMORROW = (NOW + timedelta(days=1)).timestamp()


def asked(verdict: str = "planned") -> Asked:
    payload = pressed(message(notification(incident()))[1], f"tidegate.{verdict}", "until")
    found = asked_of(payload)
    assert found is not None
    return found


def entered(until: float | None, verdict: str = "planned", **who: Any) -> dict[str, Any]:
    return submitted(view_of(asked(verdict), NOW), until, **who)


@pytest.mark.parametrize("verdict", ["planned", "mute"])
def test_a_date_is_an_answer_about_the_incident_that_was_pressed_on(verdict: Verdict) -> None:
    assert asked(verdict).channel == "C0FINOPS"
    answer = answer_of_view(entered(TOMORROW, verdict), NOW)
    assert (answer.verdict, answer.incident, answer.time) == (verdict, "4e8f1c", NOW)
    assert answer.until == datetime.fromtimestamp(TOMORROW, UTC)
    assert (answer.by, answer.user, answer.channel) == ("ann", "U0ANN", "C0FINOPS")


def test_a_span_asks_nothing_more() -> None:
    blocks = message(notification(incident()))[1]
    assert asked_of(pressed(blocks, "tidegate.mute", "1h")) is None
    assert asked_of(pressed(blocks, "tidegate.acknowledge")) is None
    assert not is_submitted(pressed(blocks, "tidegate.acknowledge"))


@given(st.text(max_size=300), st.integers(1_600_000_000, 4_000_000_000))
def test_the_dialog_is_within_slacks_limits_and_begins_ahead(about: str, at: int) -> None:
    now = datetime.fromtimestamp(at, UTC)
    view = view_of(Asked("planned", f"answer/{about}/1", "C0FINOPS", "trigger-1"), now)
    assert problems_of_view(view) == []
    begin = view["blocks"][0]["element"]["initial_date_time"]
    assert timedelta(hours=3).total_seconds() < begin - now.timestamp() <= timedelta(hours=4).total_seconds()


@pytest.mark.parametrize(
    "until", [None, NOW.timestamp(), NOW.timestamp() - 60, NOW.timestamp() + 400 * 86_400], ids=str
)
def test_a_date_that_cannot_be_meant_is_said_to_be_so_in_the_dialog(until: float | None) -> None:
    with pytest.raises(Mistaken) as found:
        answer_of_view(entered(until), NOW)
    assert found.value.response["response_action"] == "errors"
    assert list(found.value.response["errors"]) == ["until"]


def test_saving_twice_is_one_answer_and_another_date_another() -> None:
    once = answer_of_view(entered(TOMORROW), NOW)
    assert answer_of_view(entered(TOMORROW), NOW + timedelta(seconds=1)).id == once.id
    others = [entered(TOMORROW + 60), entered(TOMORROW, user="U0BOB"), entered(TOMORROW, "mute")]
    assert once.id not in {answer_of_view(other, NOW).id for other in others}


def changed(**fields: Any) -> dict[str, Any]:
    payload = entered(TOMORROW)
    return payload | {"view": payload["view"] | fields}


@pytest.mark.parametrize(
    "payload",
    [
        changed(callback_id="tidegate.explode"),
        changed(callback_id="tidegate.acknowledge"),
        changed(private_metadata=""),
        changed(private_metadata="answer/ C0FINOPS"),
        changed(state={"values": {}}),
        changed(state={"values": {"until": {"until": {"selected_date_time": "soon"}}}}),
        {"type": "view_submission"},
    ],
)
def test_what_is_no_dialog_of_ours_is_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(Unusable):
        answer_of_view(payload, NOW)


def test_only_a_choice_of_time_asks_for_a_date() -> None:
    payload = pressed(message(notification(incident()))[1], "tidegate.mute", "until")
    payload["actions"][0]["action_id"] = "tidegate.acknowledge"
    with pytest.raises(Unusable):
        asked_of(payload)
    payload["actions"][0]["action_id"] = "tidegate.mute"
    with pytest.raises(Unusable):
        answer_of(payload)
