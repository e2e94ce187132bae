"""Slack as a receiver: one message an incident, edited as it goes on, its end said in the thread too."""

from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler, AsyncServerErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from alerts.dispatcher import Notification
from alerts.receiver import DeliveryFailed
from alerts.slack.render import message
from alerts.text import headline

# Answers of Slack that will be the same next time; others (ratelimited, fatal_error, ...) may pass.
_PERMANENT = frozenset(
    [
        "account_inactive",
        "channel_not_found",
        "invalid_auth",
        "invalid_blocks",
        "is_archived",
        "missing_scope",
        "no_permission",
        "no_text",
        "not_authed",
        "not_in_channel",
        "org_login_required",
        "token_expired",
        "token_revoked",
    ]
)


class SlackReceiver:
    """Sends to one channel through slack-sdk, which keeps to Retry-After and retries server errors."""

    def __init__(self, token: str, channel: str, *, base_url: str, timeout: float) -> None:
        retries = [AsyncRateLimitErrorRetryHandler(max_retry_count=3), AsyncServerErrorRetryHandler(max_retry_count=2)]
        self._client = AsyncWebClient(token, base_url=base_url, timeout=round(timeout), retry_handlers=retries)
        self._channel = channel

    async def send(self, notification: Notification) -> str:
        """Post or edit the incident's message; its reference is `channel:timestamp`."""
        try:
            return await self._send(notification)
        except SlackApiError as error:
            # An error page of a proxy has no JSON: then the answer is bytes, and trying again may help.
            answer = error.response.get("error", "no answer") if isinstance(error.response.data, dict) else "no JSON"
            raise DeliveryFailed(f"Slack: {answer}", permanent=answer in _PERMANENT) from error
        except (SlackClientError, OSError, TimeoutError) as error:
            raise DeliveryFailed(f"Slack: {type(error).__name__}", permanent=False) from error

    async def _send(self, notification: Notification) -> str:
        text, blocks = message(notification)
        if notification.previous is None:
            posted = await self._client.chat_postMessage(channel=self._channel, text=text, blocks=blocks)
            return f"{posted['channel']}:{posted['ts']}"
        channel, _, ts = notification.previous.partition(":")
        await self._client.chat_update(channel=channel, ts=ts, text=text, blocks=blocks)
        if notification.because in ("resolved", "repeat"):
            await self._client.chat_postMessage(channel=channel, thread_ts=ts, text=headline(notification.incident))
        return notification.previous
