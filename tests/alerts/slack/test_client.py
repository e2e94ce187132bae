"""The real slack-sdk client over real HTTP, against the strict stand-in of Slack."""

import asyncio
import traceback
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
from slack_sdk.http_retry import async_handler, builtin_async_handlers

from alerts.alert import Label
from alerts.incident import Incident
from alerts.receiver import DeliveryFailed
from alerts.slack.app import SlackApp
from alerts.slack.client import SlackReceiver
from tests.alerts.build import alert, incident, notification
from tests.slack.standin import (
    CHANNEL,
    DROP,
    HANG,
    TOKEN,
    Failure,
    Message,
    SlackStandIn,
    page,
    rate_limited,
    refused,
    server_error,
)


@pytest.fixture
async def slack(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SlackStandIn]:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with SlackStandIn() as slack:
        yield slack


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that slack-sdk makes before it tries again, in seconds; nobody waits for them."""
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)

    for module in (async_handler, builtin_async_handlers):
        monkeypatch.setattr(module, "asyncio", SimpleNamespace(sleep=nap))
    return naps


def receiver(slack: SlackStandIn, token: str = TOKEN, channel: str = "#finops", timeout: float = 5) -> SlackReceiver:
    app = SlackApp(token, base_url=slack.base_url, timeout=timeout, spacing=0)
    return SlackReceiver(app, channel, pauses=(0, 0))


def resolved() -> Incident:
    return incident(alert(), alert(state="closed", after=60))


async def posted(slack: SlackStandIn) -> tuple[str, Message]:
    """Post an incident; gives its reference and the message."""
    ref = await receiver(slack).send(notification(incident()))
    ((key, message),) = slack.messages.items()
    assert ref == ":".join(key)
    return ref, message


def tops(slack: SlackStandIn) -> list[Message]:
    """The messages of the channel itself."""
    return [message for message in slack.messages.values() if message.thread_ts is None]


def thread(slack: SlackStandIn) -> list[str]:
    """The texts in threads, without those of pictures."""
    return [message.text for message in slack.messages.values() if message.thread_ts and not message.file]


async def failure(slack: SlackStandIn, to: SlackReceiver | None = None) -> DeliveryFailed:
    """Send an incident in vain."""
    with pytest.raises(DeliveryFailed) as caught:
        await (to or receiver(slack)).send(notification(incident()))
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    return caught.value


async def test_an_incident_is_one_message_that_is_edited(slack: SlackStandIn) -> None:
    ref, message = await posted(slack)
    assert ref.startswith(f"{CHANNEL}:")
    assert "so far" in message.text
    worse = incident(alert(), alert(state="updated", after=60, usd="99", severity="critical"))
    assert await receiver(slack).send(notification(worse, "changed", ref)) == ref
    assert (tops(slack), thread(slack)) == ([message], [])
    assert message.blocks[0]["text"]["text"][0] == "🔴"
    assert slack.methods[:2] == ["chat.postMessage", "chat.update"]


async def test_the_end_is_edited_in_and_said_in_the_thread(slack: SlackStandIn) -> None:
    ref, message = await posted(slack)
    assert await receiver(slack).send(notification(resolved(), "resolved", ref)) == ref
    assert tops(slack) == [message]
    assert "above normal in all" in message.text
    assert thread(slack) == ["🟢 acme · support · triage is back to normal: $1.50 above normal in all, 1 min"]
    assert {reply.thread_ts for reply in slack.messages.values()} == {None, ref.partition(":")[2]}


async def test_a_repetition_is_said_in_the_thread(slack: SlackStandIn) -> None:
    ref, _ = await posted(slack)
    await receiver(slack).send(notification(incident(), "repeat", ref))
    assert [message.thread_ts is None for message in slack.messages.values()] == [True, False]


async def test_a_reply_that_fails_fails_the_delivery(slack: SlackStandIn) -> None:
    """The notification stays pending, and trying again edits the same message to the same words."""
    ref, _ = await posted(slack)
    slack.fail_next(refused("fatal_error"), method="chat.postMessage")
    with pytest.raises(DeliveryFailed):
        await receiver(slack).send(notification(resolved(), "resolved", ref))
    assert await receiver(slack).send(notification(resolved(), "resolved", ref)) == ref
    assert (len(tops(slack)), len(thread(slack))) == (1, 1)


async def test_a_hostile_name_mentions_nobody(slack: SlackStandIn) -> None:
    labels: dict[Label, str] = {"tenant": "<!channel>" + "&" * 5000, "kind": "burst"}
    hostile = incident(alert(labels=labels, reason="<@U012>"))
    ref = await receiver(slack).send(notification(hostile))
    await receiver(slack).send(notification(hostile, "repeat", ref))
    assert len(slack.messages) == 2
    for message in slack.messages.values():
        sections = [block["text"]["text"] for block in message.blocks if block["type"] == "section"]
        assert not any("<" in text.replace("<!date^", "") for text in (message.text, *sections))


async def test_slack_makes_no_links_of_names_and_previews_none(slack: SlackStandIn) -> None:
    """Neither in blocks nor in the thread, where there is text alone."""
    ref, message = await posted(slack)
    await receiver(slack).send(notification(resolved(), "resolved", ref))
    markup = [found for block in message.blocks for found in (block.get("text"), *block.get("elements", ())) if found]
    assert {found["verbatim"] for found in markup if found["type"] == "mrkdwn"} == {True}
    posts = [call.arguments for call in slack.calls if call.method == "chat.postMessage"]
    told = [(str(one["parse"]), *(str(one[f"unfurl_{of}"]).lower() for of in ("links", "media"))) for one in posts]
    assert told == [("none", "false", "false")] * 2


async def test_a_message_that_was_deleted_is_posted_anew(slack: SlackStandIn) -> None:
    ref, _ = await posted(slack)
    slack.messages.clear()
    again = await receiver(slack).send(notification(resolved(), "resolved", ref))
    assert again != ref
    assert [message.text[0] for message in tops(slack)] == ["🟢"]


@pytest.mark.parametrize("error", ["edit_window_closed", "cant_update_message"])
async def test_a_message_that_cannot_be_edited_is_posted_anew(slack: SlackStandIn, error: str) -> None:
    ref, _ = await posted(slack)
    slack.fail_next(refused(error), method="chat.update")
    assert await receiver(slack).send(notification(incident(), "changed", ref)) != ref
    assert len(slack.messages) == 2


async def test_retry_after_is_obeyed_and_then_delivered(slack: SlackStandIn, naps: list[float]) -> None:
    slack.fail_next(rate_limited(30), rate_limited(1))
    await posted(slack)
    assert [int(nap) for nap in naps] == [30, 1]
    assert len(slack.calls) == 3


async def test_endless_rate_limits_fail_for_now(slack: SlackStandIn, naps: list[float]) -> None:
    slack.fail_next(*[rate_limited(1)] * 3, rate_limited(30))
    why = await failure(slack)
    assert (str(why), why.permanent, len(naps)) == ("Slack: ratelimited", False, 3)
    assert why.retry_after == 30


@pytest.mark.parametrize("status", [500, 503])
async def test_a_server_error_is_tried_again(slack: SlackStandIn, naps: list[float], status: int) -> None:
    slack.fail_next(server_error(status), server_error(status))
    await posted(slack)
    assert (len(slack.calls), len(naps)) == (3, 2)


async def test_an_endless_server_error_fails_for_now(slack: SlackStandIn, naps: list[float]) -> None:
    slack.fail_next(*[server_error()] * 3)
    why = await failure(slack)
    assert (str(why), why.permanent, len(naps)) == ("Slack: internal_error", False, 2)


@pytest.mark.parametrize(
    "error",
    ["account_inactive", "is_archived", "not_in_channel", "token_revoked", "missing_scope", "msg_too_long"],
)
async def test_what_slack_will_refuse_again_is_permanent(slack: SlackStandIn, error: str) -> None:
    slack.fail_next(refused(error))
    why = await failure(slack)
    assert (str(why), why.permanent) == (f"Slack: {error}", True)


async def test_an_unknown_channel_is_permanent(slack: SlackStandIn) -> None:
    why = await failure(slack, receiver(slack, channel="#nowhere"))
    assert (str(why), why.permanent) == ("Slack: channel_not_found", True)


async def test_a_wrong_token_is_permanent_and_never_told(slack: SlackStandIn) -> None:
    wrong = TOKEN.replace("secret", "mistake")
    with pytest.raises(DeliveryFailed, match="invalid_auth") as caught:
        await receiver(slack, wrong).send(notification(incident()))
    assert caught.value.permanent
    assert wrong not in "".join(traceback.format_exception(caught.value))


async def test_the_token_travels_in_the_header_only(slack: SlackStandIn) -> None:
    await posted(slack)
    (call,) = slack.calls
    assert call.authorization == f"Bearer {TOKEN}"
    assert TOKEN not in str(call.arguments)


@pytest.mark.parametrize("error", ["fatal_error", "internal_error", "service_unavailable", "something_new"])
async def test_an_error_that_may_pass_is_not_permanent(slack: SlackStandIn, error: str) -> None:
    slack.fail_next(refused(error))
    why = await failure(slack)
    assert (str(why), why.permanent) == (f"Slack: {error}", False)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(page(200), id="html"),
        pytest.param(page(502), id="html of a bad gateway"),
        pytest.param(page(403, "text/plain"), id="text of a proxy"),
        pytest.param(page(200, "text/plain"), id="text of a captive portal"),
        pytest.param(page(200, "application/json"), id="html that says it is JSON"),
        pytest.param(Failure(body="[]"), id="no object"),
        pytest.param(Failure(body="null"), id="null"),
        pytest.param(Failure(body='"ok"'), id="a string"),
        pytest.param(Failure(body=""), id="nothing"),
        pytest.param(rate_limited("Sun, 22 Nov 2026 10:00:00 GMT"), id="a date to retry after"),
        pytest.param(DROP, id="closed connection"),
    ],
)
async def test_an_answer_that_is_not_slacks_fails_for_now(
    slack: SlackStandIn, naps: list[float], answer: Failure
) -> None:
    slack.fail_next(answer)
    assert not (await failure(slack)).permanent
    await posted(slack)


@pytest.mark.slow
async def test_silence_fails_for_now(slack: SlackStandIn) -> None:
    """Even a timeout of less than half a second is one: rounded to 0 it would wait for ever."""
    slack.fail_next(HANG)
    why = await asyncio.wait_for(failure(slack, receiver(slack, timeout=0.3)), 4)
    assert (str(why), why.permanent) == ("Slack: TimeoutError", False)


async def test_nobody_there_fails_for_now() -> None:
    async with SlackStandIn() as slack:
        pass
    assert not (await failure(slack)).permanent
