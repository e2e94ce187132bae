"""What all of the page's answers over HTTP share, and what its questions have to keep to."""

from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from streamer.page.refused import Refused

_T = TypeVar("_T")
_MOST_BODY = 16 << 10


def check_origin(request: web.Request) -> None:
    """Refuse what another page makes a browser send: its origin differs, and it cannot send JSON unasked."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise Refused(403, "the action comes from another page")
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Refused(403, "the action comes from another page")
    if request.content_type != "application/json":
        raise Refused(415, "an action is sent as application/json")


async def body_of(request: web.Request, kind: type[_T]) -> _T:
    """Read a body of JSON as `kind`; raises Refused."""
    if (request.content_length or 0) > _MOST_BODY:
        raise Refused(413, "no action is so long")
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except web.HTTPRequestEntityTooLarge:
        raise Refused(413, "no action is so long") from None
    except msgspec.MsgspecError as error:
        raise Refused(400, f"the action cannot be read: {error}") from error


def said(status: int, why: str) -> web.Response:
    """Answer why not."""
    return answered(status, {"error": why})


def answered(status: int, shown: Any) -> web.Response:
    """Answer with JSON that nobody keeps."""
    return given(status, msgspec.json.encode(shown))


def given(status: int, body: bytes) -> web.Response:
    """Answer with JSON that is written already."""
    answer = web.Response(status=status, body=body, content_type="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
