"""The Slack app: every call of Slack's Web API, at the pace that Slack asks for, its failures as ours."""

import asyncio
import math
from collections import defaultdict
from typing import Any

from aiohttp import ClientError
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler, AsyncServerErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from alerts.http import retry_after
from alerts.receiver import DeliveryFailed
from alerts.slack.blocks import Block, Blocks

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
# slack-sdk lets errors of aiohttp through, and trips over answers that are not Slack's: a proxy's page as plain
# text (AttributeError), a broken JSON body or Retry-After (AttributeError, ValueError).
_TROUBLE = (SlackClientError, ClientError, OSError, TimeoutError, AttributeError, ValueError)


class SlackFailed(DeliveryFailed):
    """Slack did not do what it was asked; `answer` is its word for why, empty where it gave none."""

    def __init__(self, why: str, *, permanent: bool, answer: str = "", retry_after: float | None = None) -> None:
        super().__init__(f"Slack: {why}", permanent=permanent, retry_after=retry_after)
        self.answer = answer


class Pace:
    """Turns that are at least so many seconds apart; whoever comes first goes first."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._free_at = seconds, 0.0

    async def turn(self) -> None:
        """Wait for the next turn."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._free_at)
        self._free_at = at + self._seconds
        await asyncio.sleep(at - now)


class SlackApp:
    """One app in one workspace. slack-sdk keeps to Retry-After and retries server errors.

    Slack takes one message a second a channel: messages of the same channel wait for each other, for `spacing` seconds.
    Every method raises SlackFailed.
    """

    def __init__(self, token: str, *, base_url: str, timeout: float, spacing: float = 1.0) -> None:
        retries = [AsyncRateLimitErrorRetryHandler(max_retry_count=3), AsyncServerErrorRetryHandler(max_retry_count=2)]
        seconds = math.ceil(timeout)  # whole seconds, and 0 would be none at all
        self._client = AsyncWebClient(token, base_url=base_url, timeout=seconds, retry_handlers=retries)
        self._paces: defaultdict[str, Pace] = defaultdict(lambda: Pace(spacing))

    async def post(self, channel: str, text: str, blocks: Blocks | None = None, thread: str = "") -> tuple[str, str]:
        """Post a message, into a thread where one is given; gives the channel's id and the message's timestamp."""
        await self._paces[channel].turn()
        fields: dict[str, Any] = {"blocks": blocks} if blocks else {}
        # Names are no links, and nothing is fetched of the links that there are.
        fields |= {"parse": "none", "unfurl_links": False, "unfurl_media": False}
        if thread:
            fields["thread_ts"] = thread
        posted = await self._called("chat_postMessage", channel=channel, text=text, **fields)
        return str(posted["channel"]), str(posted["ts"])

    async def edit(self, channel: str, ts: str, text: str, blocks: Blocks) -> None:
        """Edit a message."""
        await self._called("chat_update", channel=channel, ts=ts, text=text, blocks=blocks)

    async def upload(self, channel: str, thread: str, picture: bytes, name: str, words: str) -> str:
        """Share a picture in a thread, with what it shows in words; gives the file's id."""
        await self._paces[channel].turn()
        shared = await self._called(
            "files_upload_v2",
            content=picture,
            filename=name,
            title=words,
            alt_txt=words,
            channel=channel,
            thread_ts=thread,
        )
        return str(shared["file"]["id"])

    async def whisper(self, channel: str, user: str, text: str) -> None:
        """Say something that only one person sees."""
        await self._called("chat_postEphemeral", channel=channel, user=user, text=text)

    async def ask(self, trigger: str, view: Block) -> None:
        """Open a dialog for whoever pressed something; `trigger` is Slack's ticket for it, good for three seconds."""
        await self._called("views_open", trigger_id=trigger, view=view)

    async def _called(self, method: str, **arguments: Any) -> Any:
        try:
            return await getattr(self._client, method)(**arguments)
        except SlackApiError as error:
            answer, wait = _answer(error), retry_after(getattr(error.response, "headers", None) or {})
            raise SlackFailed(
                answer or "no JSON", permanent=answer in _PERMANENT, answer=answer, retry_after=wait
            ) from error
        except _TROUBLE as error:
            raise SlackFailed(type(error).__name__, permanent=False) from error


def _answer(error: SlackApiError) -> str:
    # An error page of a proxy has no JSON: then there is no dict of data, and trying again may help.
    data: Any = getattr(error.response, "data", None)
    return str(data.get("error", "no answer")) if isinstance(data, dict) else ""
