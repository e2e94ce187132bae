"""A message keeps to Slack's published limits and markup, whatever names and reasons hold."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.alert import Label
from alerts.incident import Incident
from alerts.slack.render import CONTEXT, HEADER, TEXT, clip, escape, message, reply
from tests.alerts.build import alert, incident, notification
from tests.slack.limits import MESSAGE_TEXT, problems_of

hostile = st.one_of(
    st.text(min_size=1, max_size=40),
    st.text(alphabet="<>&*_~`\n\t\x00\x1b\u202e|!@#", min_size=1, max_size=40),
    st.sampled_from(["<!channel>", "<@U012>", "<https://evil.example|all is well>", "&lt;", "&" * 3000, "x" * 5000]),
)
NAMES: list[Label] = ["tenant", "use_case", "agent"]
ENTITY = re.compile(r"&(?:amp|lt|gt);")


@st.composite
def incidents(draw: st.DrawFn) -> Incident:
    """Incidents of one to seven alerts with hostile names, reasons and notes, some over."""
    count = draw(st.integers(1, 7))
    alerts = [
        alert(
            f"a{number}",
            labels={**{name: draw(hostile) for name in NAMES}, "kind": draw(st.sampled_from(["burst", "drift"]))},
            usd=draw(st.sampled_from(["0", "0.001", "47000", "1e30"])),
            reason=draw(st.one_of(st.just(""), hostile)),
        )
        for number in range(count)
    ]
    found = incident(*alerts)
    for note in draw(st.lists(hostile, max_size=7)):
        found.note(note)
    if draw(st.booleans()):
        for known in alerts:
            found.take(alert(known.id, "closed", after=9, labels=known.labels))
    return found


def markup(told: Incident) -> list[str]:
    """All texts of a message that Slack reads as markup."""
    text, blocks = message(notification(told))
    sections = [block["text"]["text"] for block in blocks if block["type"] == "section"]
    elements = [element["text"] for block in blocks for element in block.get("elements", ())]
    return [text, reply(told), *sections, *elements]


@settings(deadline=None)
@given(incidents())
def test_every_message_is_within_slacks_limits(told: Incident) -> None:
    text, blocks = message(notification(told))
    assert problems_of(blocks) == []
    assert 1 <= len(text) <= MESSAGE_TEXT
    assert 1 <= len(reply(told)) <= MESSAGE_TEXT


@settings(deadline=None)
@given(incidents())
def test_no_name_becomes_a_mention_or_a_link(told: Incident) -> None:
    """Every `<`, `>` and `&` of a name is escaped, and no escape is cut in two."""
    for text in markup(told):
        assert not {"<", ">"} & set(text)
        assert "&" not in ENTITY.sub("", text)


@given(st.text())
def test_what_is_escaped_reads_as_it_was(text: str) -> None:
    assert escape(text).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == text


@given(st.text(alphabet="a&<>"), st.integers(1, 30))
def test_a_clipped_text_is_short_enough_and_starts_as_it_did(text: str, most: int) -> None:
    clipped = clip(escape(text), most)
    assert len(clipped) <= most
    assert clipped == escape(text) or escape(text).startswith(clipped.removesuffix("…"))


def test_a_message_reads_as_header_cost_reasons_notes_and_fine_print() -> None:
    told = incident()
    told.note("told gateways to pause tenant=acme")
    text, blocks = message(notification(told))
    assert text == (
        "🟠 acme · support · triage spends far above its usual rate: "
        "$1.50 above normal so far, $18.20 an hour if nobody acts"
    )
    assert [block["type"] for block in blocks] == ["header", "section", "section", "section", "context"]
    assert blocks[0]["text"]["text"] == "🟠 acme · support · triage spends far above its usual rate"
    assert markup(told)[2:] == [
        "*$1.50 above normal so far, $18.20 an hour if nobody acts*\nsince 2026-11-22 10:00:00 UTC",
        "• acme · support · triage: 120 requests a minute, 20 are usual",
        "↳ told gateways to pause tenant=acme",
        "incident 4e8f1c · warning · told because new",
    ]


@pytest.mark.parametrize("limit", [HEADER, TEXT, CONTEXT])
def test_a_text_at_the_limit_is_left_whole(limit: int) -> None:
    assert clip("x" * limit, limit) == "x" * limit
    assert clip("x" * (limit + 1), limit) == "x" * (limit - 1) + "…"
