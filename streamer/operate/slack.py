"""Looks at Slack: whether the token is good, what it may do, and whether our clock agrees."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import aiohttp

from streamer.config import Config
from streamer.operate.finding import Finding

_NEEDED, _USEFUL = ("chat:write",), ("files:write",)
_APART = 30.0


async def look(config: Config, now: float) -> list[Finding]:
    """Ask Slack who we are (auth.test); nothing, where nobody is told by Slack."""
    if not any(receiver.type == "slack" for receiver in config.alerts.receivers):
        return [Finding("good", "nobody is told by Slack, so it was not asked")]
    token = config.slack.token.get_secret_value()
    url, headers = f"{config.slack.base_url}auth.test", {"Authorization": f"Bearer {token}"}
    timeout = aiohttp.ClientTimeout(total=config.slack.timeout_seconds)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.post(url, headers=headers) as answer:
            return read(await answer.json(), answer.headers, now)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        todo = "open the way there, or correct slack.base_url"
        return [Finding("bad", f"Slack does not answer ({type(error).__name__})", todo)]


def read(answer: Mapping[str, object], headers: Mapping[str, str], now: float) -> list[Finding]:
    """Judge Slack's answer."""
    if not answer.get("ok"):
        return [Finding("bad", f"Slack refuses the token ({answer.get('error')})", "take a new one as SLACK_BOT_TOKEN")]
    found = [Finding("good", f"Slack knows us as {answer.get('user')} of {answer.get('team')}")]
    scopes = {scope.strip() for scope in headers.get("x-oauth-scopes", "").split(",")} - {""}
    if scopes:
        found += [
            Finding("bad", f"Slack: no scope {one}", "add it, install anew") for one in _NEEDED if one not in scopes
        ]
        found += [
            Finding("look", f"Slack: no scope {one}, so no pictures", "add it, install anew")
            for one in _USEFUL
            if one not in scopes
        ]
    return found + _apart(headers.get("Date", ""), now)


def _apart(date: str, now: float) -> list[Finding]:
    try:
        apart = now - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return []
    if abs(apart) <= _APART:
        return []
    return [
        Finding("bad", f"this clock is {abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} Slack's", "use NTP")
    ]
