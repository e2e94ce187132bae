"""Posting JSON over HTTP: what is tried again, what is not, and how long a server asks to wait."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from aiohttp import ClientError, ClientSession, ClientTimeout, InvalidURL

from alerts.receiver import DeliveryFailed

# Besides these, an answer of 4xx will be the same next time.
_PASSING = frozenset([408, 409, 425, 429])


async def post(who: str, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> None:
    """Post `body` (JSON) within so many seconds; raises DeliveryFailed, whose words name no address and no content.

    A connection is not kept: notifications are rare. Redirections are not followed, so that nobody else gets the body.
    """
    try:
        async with (
            ClientSession(timeout=ClientTimeout(total=seconds)) as session,
            session.post(
                url, data=body, headers={"Content-Type": "application/json", **headers}, allow_redirects=False
            ) as answer,
        ):
            if not 200 <= answer.status < 300:
                permanent = answer.status < 500 and answer.status not in _PASSING
                wait = retry_after(answer.headers)
                raise DeliveryFailed(f"{who}: status {answer.status}", permanent=permanent, retry_after=wait)
    except InvalidURL as error:
        raise DeliveryFailed(f"{who}: its address is no URL", permanent=True) from error
    except (ClientError, OSError, TimeoutError) as error:
        raise DeliveryFailed(f"{who}: {type(error).__name__}", permanent=False) from error


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Give how many seconds a server asks to wait: as a number, or as a time beside its own `Date`.

    >>> retry_after({"Retry-After": "30"})
    30.0
    >>> date = {"Date": "Sun, 22 Nov 2026 10:00:00 GMT", "Retry-After": "Sun, 22 Nov 2026 10:02:00 GMT"}
    >>> retry_after(date)
    120.0
    """
    asked = headers.get("Retry-After", "")
    if asked.isascii() and asked.isdigit():
        return float(asked)
    try:
        until, date = parsedate_to_datetime(asked), parsedate_to_datetime(headers.get("Date", ""))
        return max(0.0, (until - date).total_seconds())
    except (TypeError, ValueError):
        return None
