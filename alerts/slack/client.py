"""Slack as a receiver: one message an incident, edited as it goes on, its end said in the thread too."""

import math
from typing import Any

from aiohttp import ClientError
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler, AsyncServerErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from alerts.dispatcher import Notification
from alerts.receiver import DeliveryFailed
from alerts.slack.render import Blocks, message, reply

# Answers of Slack that will be the same next time; others (ratelimited, fatal_error, ...) may pass.
_PERMANENT = frozenset(
    [
        "account_inactive",
        "channel_not_found",
        "invalid_arguments",
        "invalid_auth",
        "invalid_blocks",
        "invalid_blocks_format",
        "is_archived",
        "missing_scope",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_permission",
        "no_text",
        "not_authed",
        "not_in_channel",
        "org_login_required",
        "restricted_action",
        "token_expired",
        "token_revoked",
    ]
)
# The message is gone, or can no longer be edited: the incident goes on in a new one.
_LOST = frozenset(["cant_update_message", "edit_window_closed", "message_not_found"])
# slack-sdk lets errors of aiohttp through, and trips over answers that are not Slack's: a proxy's page as plain
# text (AttributeError), a broken JSON body or Retry-After (AttributeError, ValueError).
_TROUBLE = (SlackClientError, ClientError, OSError, TimeoutError, AttributeError, ValueError)


class SlackReceiver:
    """Sends to one channel through slack-sdk, which keeps to Retry-After and retries server errors."""

    def __init__(self, token: str, channel: str, *, base_url: str, timeout: float) -> None:
        retries = [AsyncRateLimitErrorRetryHandler(max_retry_count=3), AsyncServerErrorRetryHandler(max_retry_count=2)]
        seconds = math.ceil(timeout)  # whole seconds, and 0 would be none at all
        self._client = AsyncWebClient(token, base_url=base_url, timeout=seconds, retry_handlers=retries)
        self._channel = channel

    async def send(self, notification: Notification) -> str:
        """Post or edit the incident's message; its reference is `channel:timestamp`."""
        text, blocks = message(notification)
        try:
            if notification.previous is None:
                return await self._post(text, blocks)
            return await self._edit(notification, notification.previous, text, blocks)
        except SlackApiError as error:
            answer = _answer(error)
            raise DeliveryFailed(f"Slack: {answer}", permanent=answer in _PERMANENT) from error
        except _TROUBLE as error:
            raise DeliveryFailed(f"Slack: {type(error).__name__}", permanent=False) from error

    async def _post(self, text: str, blocks: Blocks) -> str:
        posted = await self._client.chat_postMessage(channel=self._channel, text=text, blocks=blocks)
        return f"{posted['channel']}:{posted['ts']}"

    async def _edit(self, notification: Notification, previous: str, text: str, blocks: Blocks) -> str:
        channel, _, ts = previous.partition(":")
        try:
            await self._client.chat_update(channel=channel, ts=ts, text=text, blocks=blocks)
        except SlackApiError as error:
            if _answer(error) in _LOST:
                return await self._post(text, blocks)
            raise
        if notification.because in ("resolved", "repeat"):
            await self._client.chat_postMessage(channel=channel, thread_ts=ts, text=reply(notification.incident))
        return previous


def _answer(error: SlackApiError) -> str:
    # An error page of a proxy has no JSON: then there is no dict of data, and trying again may help.
    data: Any = getattr(error.response, "data", None)
    return str(data.get("error", "no answer")) if isinstance(data, dict) else "no JSON"
