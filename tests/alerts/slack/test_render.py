"""A message keeps to Slack's published limits and markup, whatever names and reasons hold."""

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.alert import Cause, Label
from alerts.history import History
from alerts.incident import Incident
from alerts.slack.blocks import CONTEXT, HEADER, TEXT, Block, clip, escape
from alerts.slack.render import message, reply
from alerts.undelivered import undelivered
from tests.alerts.build import alert, incident, notification
from tests.slack.limits import MESSAGE_TEXT, problems_of

hostile = st.one_of(
    st.text(min_size=1, max_size=40),
    st.text(alphabet="<>&*_~`\n\t\x00\x1b\u202e|!@#", min_size=1, max_size=40),
    st.sampled_from(["<!channel>", "<@U012>", "<https://evil.example|all is well>", "&lt;", "&" * 3000, "x" * 5000]),
)
NAMES: list[Label] = ["tenant", "use_case", "agent"]
ENTITY = re.compile(r"&(?:amp|lt|gt);")
# Moments in the reader's own time, the only thing in angle brackets that we write.
DATE = re.compile(r"<!date\^\d+\^[^<>|]*\|[^<>]*>")
PAST = History(unit="requests a minute", split={"llm": Decimal(3), "saas": Decimal(1)})


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
            causes=tuple(Cause("agent", name, 0.4) for name in draw(st.lists(hostile, max_size=3))),
        )
        for number in range(count)
    ]
    found = incident(*alerts)
    for note in draw(st.lists(hostile, max_size=7)):
        found.note(note)
    for word in draw(st.lists(hostile, max_size=2)):
        found.answer(word)
    found.commands = draw(st.sampled_from([[], ["tenant=acme"]]))
    if draw(st.booleans()):
        for known in alerts:
            found.take(alert(known.id, "closed", after=9, labels=known.labels))
    return found


def markup(told: Incident) -> list[str]:
    """All texts of a message that Slack reads as markup, without the moments in them."""
    text, blocks = message(notification(told), PAST, "F1")
    sections = [block["text"]["text"] for block in blocks if block["type"] == "section"]
    elements = [element["text"] for block in blocks if block["type"] == "context" for element in block["elements"]]
    return [DATE.sub("NOW", each) for each in (text, reply(told, told.notes), *sections, *elements)]


@settings(deadline=None)
@given(incidents(), st.booleans())
def test_every_message_is_within_slacks_limits(told: Incident, buttons: bool) -> None:
    text, blocks = message(notification(told), PAST, "F1", buttons=buttons)
    assert problems_of(blocks) == []
    assert 1 <= len(text) <= MESSAGE_TEXT
    assert 1 <= len(reply(told, told.notes)) <= MESSAGE_TEXT


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


def test_a_message_says_who_how_much_since_when_why_and_who_is_behind_it() -> None:
    causes = (Cause("model", "gpt-4o", 0.4), Cause("agent", "triage", 0.92))
    told = incident(
        alert(reason="120 requests a minute, 20 are usual (92% agent triage, 40% model gpt-4o)", causes=causes)
    )
    told.note("told gateways to pause tenant=acme/use_case=support")
    told.answer("ann acknowledged it at 10:00:07 UTC")
    text, blocks = message(notification(told), PAST, "F1")
    title = "🟠 acme · support · triage spends far above its usual rate · $18.20 an hour"
    assert text == f"{title} ($1.50 above normal so far, $18.20 an hour if nobody acts)"
    kinds = ["header", "section", "section", "section", "image", "section", "actions", "context"]
    assert [block["type"] for block in blocks] == kinds
    assert blocks[0]["text"]["text"] == title
    assert markup(told)[2:] == [
        "*$1.50 extra* so far · *$18.20 an hour* if nobody acts\nsince NOW · just now\n"
        "✓ *ann acknowledged it at 10:00:07 UTC*",
        "*Why*  120 requests a minute, 20 are usual",
        "*Behind it*\n`█████████░` 92% agent triage\n`████░░░░░░` 40% model gpt-4o\n"
        "*Kinds of cost*  LLM 75% · SaaS 25%",
        "↳ told gateways to pause acme · support",
        "warning · told because new · incident 4e8f1c",
    ]


def test_the_end_has_its_span_and_no_buttons() -> None:
    over = incident(alert(), alert(state="closed", after=420, usd="9"))
    _, blocks = message(notification(over, "resolved"))
    assert blocks[0]["text"]["text"] == "🟢 acme · support · triage is back to normal · $9.00 in all"
    assert markup(over)[2] == "*$9.00 extra* in all\nsince NOW until NOW · 7 min"
    assert "actions" not in [block["type"] for block in blocks]


def test_where_there_is_a_page_of_the_incident_the_message_leads_there() -> None:
    _, blocks = message(notification(incident()), link="https://tide.example/incidents/4e8f1c")
    assert blocks[-1]["elements"][0]["text"].endswith("<https://tide.example/incidents/4e8f1c|incident 4e8f1c>")
    _, blocks = message(notification(incident()))
    assert blocks[-1]["elements"][0]["text"].endswith("· incident 4e8f1c")


def test_without_a_way_back_there_are_no_buttons() -> None:
    _, blocks = message(notification(incident()), buttons=False)
    assert "actions" not in [block["type"] for block in blocks]


def test_what_is_throttled_can_be_released_and_else_throttled() -> None:
    told = incident()
    assert pressable(told)[:2] == ["tidegate.acknowledge", "tidegate.throttle"]
    told.commands = ["tenant=acme"]
    assert pressable(told)[:2] == ["tidegate.acknowledge", "tidegate.release"]


def test_each_revision_has_a_row_of_buttons_of_its_own() -> None:
    told = incident()
    before = row(told)["block_id"]
    told.note("something was done")
    assert row(told)["block_id"] != before


def pressable(told: Incident) -> list[str]:
    return [element["action_id"] for element in row(told)["elements"]]


def row(told: Incident) -> Block:
    _, blocks = message(notification(told))
    return next(block for block in blocks if block["type"] == "actions")


@pytest.mark.parametrize("limit", [HEADER, TEXT, CONTEXT])
def test_a_text_at_the_limit_is_left_whole(limit: int) -> None:
    assert clip("x" * limit, limit) == "x" * limit
    assert clip("x" * (limit + 1), limit) == "x" * (limit - 1) + "…"


def test_what_several_have_in_common_is_said_once_and_whose_it_is_is_shown() -> None:
    labels: list[Label] = ["tenant", "kind"]
    told = incident(*(alert(f"a{n}", labels=dict(zip(labels, (f"t{n}", "burst"), strict=True))) for n in range(7)))
    told.owner, told.owners = "finops", ["blue", "<red>"]
    text = str(message(notification(told))[1])
    assert text.count("120 requests a minute, 20 are usual") == 1
    assert "t6, t5, t4, t3 and 3 more" in text or "t0, t1, t2, t3 and 3 more" in text
    assert "warning · owner finops · told because new · incident 4e8f1c" in text
    assert "2 owners are told here first: blue, &lt;red&gt;; they hear of it themselves" in text


def test_an_owners_name_forges_no_line() -> None:
    told = incident()
    told.owner = "blue\n🔴 acme"
    fine_print = message(notification(told))[1][-1]["elements"][0]["text"]
    assert "\n" not in fine_print


def test_the_notice_of_a_dead_receiver_offers_nothing_that_nobody_could_do() -> None:
    since = datetime(2026, 11, 22, 10, tzinfo=UTC)
    told = undelivered("audit", "timeout", 3, since, None)
    _, blocks = message(told, link="https://tide.example/incidents/undelivered-audit")
    assert "actions" not in [block["type"] for block in blocks]
    assert "https://" not in blocks[-1]["elements"][0]["text"]
