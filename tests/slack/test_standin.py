"""The stand-in refuses what Slack refuses: a green test against it is worth something."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.slack.limits import problems_of, problems_of_view
from tests.slack.standin import CHANNEL, TOKEN, SlackStandIn

Answer = dict[str, Any]
CONFIRM = {name: {"type": "plain_text", "text": "Yes"} for name in ("title", "text", "confirm", "deny")}


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandIn]:
    async with SlackStandIn() as slack:
        yield slack


async def call(slack: SlackStandIn, method: str, token: str | None = TOKEN, **arguments: object) -> Answer:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        aiohttp.ClientSession() as session,
        session.post(slack.base_url + method, json=arguments, headers=headers) as response,
    ):
        assert response.status == 200
        answer: Answer = await response.json()
        return answer


def plain(text: str) -> Answer:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Answer:
    return {"type": "mrkdwn", "text": text}


def header(text: str) -> Answer:
    return {"type": "header", "text": plain(text)}


def section(text: str) -> Answer:
    return {"type": "section", "text": mrkdwn(text)}


def context(count: int) -> Answer:
    return {"type": "context", "elements": [mrkdwn("x")] * count}


def button(text: str = "Acknowledge", **fields: object) -> Answer:
    return {"type": "button", "text": plain(text), "action_id": "acknowledge", **fields}


def select(options: int, value: str = "1h") -> Answer:
    option = {"text": plain("1 hour"), "value": value}
    return {"type": "static_select", "placeholder": plain("Mute"), "action_id": "mute", "options": [option] * options}


@pytest.mark.parametrize(
    "block",
    [
        header("x" * 150),
        section("x"),
        section("x" * 3000),
        {"type": "section", "fields": [mrkdwn("x" * 2000)] * 10},
        context(10),
        {"type": "divider"},
        {"type": "actions", "elements": [button(style="danger", value="incident")]},
        {"type": "image", "image_url": "https://example.com/rate.png", "alt_text": "rate"},
        {"type": "section", "text": mrkdwn("x"), "accessory": button()},
        {"type": "actions", "elements": [select(100, "x" * 150)]},
        {"type": "image", "slack_file": {"id": "F1"}, "alt_text": "rate"},
    ],
)
def test_blocks_at_the_limit_are_taken(block: Answer) -> None:
    assert problems_of([block]) == []


@pytest.mark.parametrize(
    ("block", "at"),
    [
        (header(""), "/blocks/0/text/text"),
        (header(" "), "/blocks/0/text/text"),
        (header("x" * 151), "/blocks/0/text/text"),
        ({"type": "header", "text": mrkdwn("x")}, "/blocks/0/text"),
        ({"type": "header"}, "/blocks/0/text"),
        (section(""), "/blocks/0/text/text"),
        (section("x" * 3001), "/blocks/0/text/text"),
        ({"type": "section"}, "/blocks/0"),
        ({"type": "section", "fields": [mrkdwn("x")] * 11}, "/blocks/0/fields"),
        ({"type": "section", "fields": [mrkdwn("x" * 2001)]}, "/blocks/0/fields/0/text"),
        ({"type": "section", "text": mrkdwn("x") | {"emoji": True}}, "/blocks/0/text/emoji"),
        ({"type": "section", "text": "x"}, "/blocks/0/text"),
        (context(0), "/blocks/0/elements"),
        (context(11), "/blocks/0/elements"),
        ({"type": "divider", "text": plain("x")}, "/blocks/0/text"),
        ({"type": "actions", "elements": [button(action_id=f"a{n}") for n in range(26)]}, "/blocks/0/elements"),
        ({"type": "actions", "elements": [button()] * 2}, "/blocks/0/elements"),
        (
            {"type": "actions", "elements": [button(confirm=CONFIRM | {"text": plain("")})]},
            "/blocks/0/elements/0/confirm/text/text",
        ),
        ({"type": "actions", "elements": [select(0)]}, "/blocks/0/elements/0/options"),
        ({"type": "actions", "elements": [select(1, "x" * 151)]}, "/blocks/0/elements/0/options/0/value"),
        ({"type": "image", "alt_text": "rate"}, "/blocks/0"),
        ({"type": "actions", "elements": [button("x" * 76)]}, "/blocks/0/elements/0/text/text"),
        ({"type": "actions", "elements": [button(style="loud")]}, "/blocks/0/elements/0/style"),
        ({"type": "image", "image_url": "https://example.com/rate.png"}, "/blocks/0/alt_text"),
        ({"type": "marquee", "text": plain("x")}, "/blocks/0"),
        ("header", "/blocks/0"),
        (header("x") | {"block_id": "x" * 256}, "/blocks/0/block_id"),
    ],
)
def test_a_block_beyond_the_limits_is_refused_at_its_place(block: object, at: str) -> None:
    assert [problem.endswith(f"[json-pointer:{at}]") for problem in problems_of([block])] == [True]


def test_a_message_has_at_most_fifty_blocks_of_different_ids() -> None:
    assert problems_of([header("x")] * 50) == []
    assert problems_of([header("x")] * 51) != []
    assert problems_of([header("x") | {"block_id": "one"}] * 2) != []
    assert problems_of("[]") != []


async def test_a_message_is_posted_edited_and_answered(slack: SlackStandIn) -> None:
    posted = await call(slack, "chat.postMessage", channel="#finops", text="one")
    ts = posted["ts"]
    assert (posted["ok"], posted["channel"]) == (True, CHANNEL)
    assert (await call(slack, "chat.update", channel=CHANNEL, ts=ts, text="two"))["ok"]
    assert (await call(slack, "chat.postMessage", channel=CHANNEL, thread_ts=ts, text="three"))["ok"]
    parent, reply = slack.messages.values()
    assert (parent.text, parent.edits, reply.text, reply.thread_ts) == ("two", 1, "three", ts)


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("chat.postMessage", {"channel": CHANNEL}, "no_text"),
        ("chat.postMessage", {"channel": CHANNEL, "text": " "}, "no_text"),
        ("chat.postMessage", {"channel": CHANNEL, "text": "x" * 40_001}, "msg_too_long"),
        ("chat.postMessage", {"channel": "C0NOWHERE", "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": CHANNEL, "text": "x", "blocks": [section("")]}, "invalid_blocks"),
        ("chat.postMessage", {"channel": CHANNEL, "text": "x", "thread_ts": "1.2"}, "cannot_reply_to_message"),
        ("chat.postMessage", {"channel": CHANNEL, "text": "x", "color": "red"}, "invalid_arguments"),
        ("chat.postMessage", {"channel": CHANNEL, "text": "x", "blocks": None}, "invalid_arguments"),
        ("chat.update", {"channel": CHANNEL, "ts": "1.2", "text": "x"}, "message_not_found"),
        ("chat.update", {"channel": CHANNEL, "text": "x"}, "message_not_found"),
        ("chat.update", {"channel": "#finops", "ts": "1.2", "text": "x"}, "channel_not_found"),
        ("chat.shout", {}, "unknown_method"),
    ],
)
async def test_a_wrong_call_gets_slacks_error(slack: SlackStandIn, method: str, arguments: Answer, error: str) -> None:
    answer = await call(slack, method, **arguments)
    assert (answer["ok"], answer["error"], slack.messages) == (False, error, {})
    assert [seen.arguments for seen in slack.calls] == [arguments]


@pytest.mark.parametrize(("token", "error"), [(None, "not_authed"), ("xoxb-other", "invalid_auth")])
async def test_only_the_apps_token_opens(slack: SlackStandIn, token: str | None, error: str) -> None:
    assert (await call(slack, "auth.test", token))["error"] == error
    assert (await call(slack, "auth.test"))["ok"]


async def test_a_form_is_taken_and_a_broken_body_refused(slack: SlackStandIn) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    form = {"channel": CHANNEL, "text": "x", "blocks": json.dumps([section("y")])}
    async with aiohttp.ClientSession(headers=headers) as session:
        url = slack.base_url + "chat.postMessage"
        async with session.post(url, data=form) as response:
            assert (await response.json())["ok"]
        for body, error in ((b"{", "invalid_json"), (b"[]", "json_not_object")):
            async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as response:
                assert (await response.json())["error"] == error
        async with session.post(url, data=b"x", headers={"Content-Type": "image/png"}) as response:
            assert (await response.json())["error"] == "invalid_post_type"


def modal(**fields: object) -> Answer:
    picker = {"type": "datetimepicker", "action_id": "until", "initial_date_time": 1795341600}
    field = {"type": "input", "block_id": "until", "label": plain("Until"), "element": picker}
    return {"type": "modal", "title": plain("Planned until"), "submit": plain("Save"), "blocks": [field], **fields}


@pytest.mark.parametrize(
    ("view", "at"),
    [
        (modal(title=plain("x" * 25)), "/view/title/text"),
        (modal(title=mrkdwn("x")), "/view/title"),
        (modal(private_metadata="x" * 3001), "/view/private_metadata"),
        (modal(callback_id="x" * 256), "/view/callback_id"),
        (modal(blocks=[]), "/view/blocks"),
        (modal(type="message"), "/view/type"),
        (modal(colour="red"), "/view/colour"),
        (modal(blocks=[section("x" * 3001)]), "/view/blocks/0/text/text"),
        (modal(blocks=[{"type": "input", "label": plain("x"), "element": select(1)}]), "/view/blocks/0/element"),
    ],
)
def test_a_modal_beyond_the_limits_is_refused_at_its_place(view: Answer, at: str) -> None:
    assert [problem.endswith(f"[json-pointer:{at}]") for problem in problems_of_view(view)] == [True]


async def test_a_trigger_opens_one_modal(slack: SlackStandIn) -> None:
    assert problems_of_view(modal()) == []
    assert (await call(slack, "views.open", trigger_id="trigger-1", view=modal()))["ok"]
    again = await call(slack, "views.open", trigger_id="trigger-1", view=modal())
    assert (again["error"], len(slack.views)) == ("exchanged_trigger_id", 1)
    assert (await call(slack, "views.open", trigger_id="x", view=modal()))["error"] == "invalid_trigger_id"
    assert (await call(slack, "views.open", trigger_id="trigger-2", view={}))["error"] == "invalid_arguments"
