"""What people press becomes one answer each, and nothing else does."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.incident import Incident
from alerts.slack.answers import ACTIONS, Unusable, answer_of
from alerts.slack.render import message
from tests.alerts.build import incident, notification
from tests.slack.press import pressed

json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=10,
)


def press(told: Incident, action: str, option: str = "", **who: Any) -> dict[str, Any]:
    return pressed(message(notification(told))[1], action, option, **who)


@pytest.mark.parametrize("verdict", ["acknowledge", "expected", "false_alarm", "throttle"])
def test_a_button_says_what_about_which_incident_and_by_whom(verdict: str) -> None:
    answer = answer_of(press(incident(), f"tidegate.{verdict}"))
    assert (answer.verdict, answer.incident, answer.until) == (verdict, "4e8f1c", None)
    assert (answer.by, answer.user, answer.channel) == ("ann", "U0ANN", "C0FINOPS")


@pytest.mark.parametrize(("option", "hours"), [("1h", 1), ("4h", 4), ("1d", 24), ("7d", 168)])
@pytest.mark.parametrize("verdict", ["planned", "mute"])
def test_a_choice_holds_so_long_from_when_it_was_made(verdict: str, option: str, hours: int) -> None:
    answer = answer_of(press(incident(), f"tidegate.{verdict}", option))
    assert answer.until == answer.time + timedelta(hours=hours)


def test_a_double_click_and_a_repeat_of_slacks_are_one_answer() -> None:
    told = incident()
    once = press(told, "tidegate.acknowledge")
    assert answer_of(once) == answer_of(once)
    assert answer_of(press(told, "tidegate.acknowledge")).id == answer_of(once).id


def test_another_word_person_or_state_of_the_message_is_another_answer() -> None:
    told = incident()
    ids = [
        answer_of(press(told, "tidegate.acknowledge")).id,
        answer_of(press(told, "tidegate.expected")).id,
        answer_of(press(told, "tidegate.mute", "1h")).id,
        answer_of(press(told, "tidegate.mute", "4h")).id,
        answer_of(press(told, "tidegate.acknowledge", user="U0BOB")).id,
    ]
    told.note("something was done")
    ids.append(answer_of(press(told, "tidegate.acknowledge")).id)
    assert len(set(ids)) == len(ids)


def changed(**fields: Any) -> dict[str, Any]:
    payload = press(incident(), "tidegate.mute", "1h")
    return payload | {"actions": [payload["actions"][0] | fields]}


@pytest.mark.parametrize(
    "payload",
    [
        changed(action_id="tidegate.explode"),
        changed(action_id="other.acknowledge"),
        changed(block_id="answer/"),
        changed(block_id="other/4e8f1c/1"),
        changed(block_id="answer/" + "x" * 300 + "/1"),
        changed(action_ts="soon"),
        changed(action_ts="nan"),
        changed(action_ts="1e300"),
        changed(selected_option=None),
        changed(selected_option={"value": "9999d"}),
        changed(selected_option={"value": "-1h"}),
        changed(selected_option={"value": ""}),
        press(incident(), "tidegate.expected") | {"type": "view_submission"},
        press(incident(), "tidegate.expected") | {"actions": []},
        press(incident(), "tidegate.expected") | {"user": "ann"},
        {},
    ],
)
def test_what_is_no_answer_is_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(Unusable):
        answer_of(payload)


@given(st.dictionaries(st.sampled_from(["type", "user", "container", "actions"]), json))
def test_no_payload_breaks_it(payload: dict[str, Any]) -> None:
    with pytest.raises(Unusable):
        answer_of(payload)


def test_every_button_is_an_answer() -> None:
    told = incident()
    _, blocks = message(notification(told))
    row = next(block for block in blocks if block["type"] == "actions")
    offered = {element["action_id"] for element in row["elements"]}
    assert offered == set(ACTIONS.values()) - {"tidegate.release"}
