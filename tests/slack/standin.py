"""A strict stand-in of Slack's Web API on loopback, over real HTTP.

It keeps messages as Slack does, refuses what Slack's reference refuses (and fields that it does not know), and
answers in Slack's way: errors as `{"ok": false, "error": ...}` with status 200, rate limits as 429 with Retry-After.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from tests.slack.limits import ALT_TEXT, MESSAGE_TEXT, problems_of, problems_of_view
from tests.slack.socket import APP_TOKEN, Sockets

TOKEN = "xoxb-1234-the-secret-of-tests"
CHANNEL = "C0FINOPS"

_ARGUMENTS = {
    "auth.test": frozenset[str](),
    "chat.postMessage": frozenset(
        ["channel", "text", "blocks", "thread_ts", "reply_broadcast", "unfurl_links", "unfurl_media", "parse"]
    ),
    "chat.update": frozenset(["channel", "ts", "text", "blocks", "parse"]),
    "chat.postEphemeral": frozenset(["channel", "user", "text", "blocks", "thread_ts"]),
    "files.getUploadURLExternal": frozenset(["filename", "length", "alt_txt", "snippet_type"]),
    "files.completeUploadExternal": frozenset(["files", "channel_id", "thread_ts", "initial_comment"]),
    "views.open": frozenset(["trigger_id", "view"]),
    "apps.connections.open": frozenset[str](),
}
Answer = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One call as it arrived, whatever came of it."""

    method: str
    arguments: Mapping[str, Any]
    authorization: str


@dataclass
class Message:
    """One message as a person sees it now."""

    text: str
    blocks: list[Answer]
    thread_ts: str | None = None
    edits: int = 0
    file: str = ""


@dataclass
class File:
    """One file: what was announced, what came, and whether it was shared."""

    name: str
    length: int
    words: str = ""
    content: bytes = b""
    shared: bool = False


@dataclass(frozen=True)
class Failure:
    """An answer that is not the method's own. `hang` never answers, `drop` closes the connection."""

    status: int = 200
    body: str = ""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    hang: bool = False
    drop: bool = False


def refused(error: str) -> Failure:
    """Slack's own refusal: status 200, `ok` false."""
    return Failure(body=json.dumps({"ok": False, "error": error}))


def rate_limited(retry_after: int | str) -> Failure:
    """Too many requests: come back in `retry_after` seconds."""
    return Failure(429, '{"ok": false, "error": "ratelimited"}', headers={"Retry-After": str(retry_after)})


def server_error(status: int = 500) -> Failure:
    """Slack is unwell."""
    return Failure(status, '{"ok": false, "error": "internal_error"}')


def page(status: int, content_type: str = "text/html") -> Failure:
    """The page of a proxy that stands in between."""
    return Failure(status, "<html><body><h1>Bad gateway</h1></body></html>", content_type)


HANG, DROP = Failure(hang=True), Failure(drop=True)


class Refused(Exception):
    """A call that Slack refuses, by its error code."""

    def __init__(self, error: str, *messages: str) -> None:
        self.error, self.messages = error, list(messages)
        super().__init__(error)


class SlackStandIn:
    """A workspace with one app and its channels (id to name). Use as an async context manager.

    A file may be shown in a message when it was shared, and after `looks` messages with it were refused, for Slack
    looks at files for a while. While it is `down` every call is answered by that. `whispers` are (user, text) of what
    only one person sees, `views` the dialogs that were opened; a trigger opens one.

    `calls` lists what arrived, `messages` holds the present state by (channel id, ts); take one out to let a
    person delete it. What is put by `fail_next` is answered instead, once each, in order.
    """

    def __init__(self, token: str = TOKEN, channels: Mapping[str, str] | None = None) -> None:
        self._token = token
        self._channels = dict(channels or {CHANNEL: "finops"})
        self.calls: list[Call] = []
        self.messages: dict[tuple[str, str], Message] = {}
        self.base_url = ""
        self._failures: list[tuple[Failure, str | None]] = []
        self._closing = asyncio.Event()
        self._posted = 0
        self.files: dict[str, File] = {}
        self.looks = 0
        self.threads_fail = False
        self.down: Failure | None = None
        self.whispers: list[tuple[str, str]] = []
        self.posted_at: list[float] = []
        self.sockets = Sockets()
        self.views: list[Answer] = []
        self._triggers: set[str] = set()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/api/{method}", self._receive)
        app.router.add_post("/upload/{file}", self._upload)
        app.router.add_get("/link", self.sockets.connect)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.base_url = f"http://{host}:{port}/api/"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        await self._runner.cleanup()

    def fail_next(self, *failures: Failure, method: str | None = None) -> None:
        """Answer the next calls (of `method`, if given) by these failures, one each."""
        self._failures += [(failure, method) for failure in failures]

    @property
    def methods(self) -> list[str]:
        """The methods called, in order."""
        return [call.method for call in self.calls]

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        try:
            arguments = await _arguments(request)
            self.calls.append(Call(method, arguments, request.headers.get("Authorization", "")))
            if failure := self._failure(method):
                return await self._fail(failure, request)
            return web.json_response({"ok": True, **self._answer(method, arguments, request)})
        except Refused as why:
            answer: Answer = {"ok": False, "error": why.error}
            if why.messages:
                answer |= {"errors": why.messages, "response_metadata": {"messages": why.messages}}
            return web.json_response(answer)

    def _failure(self, method: str) -> Failure | None:
        if self.down:
            return self.down
        for index, (failure, only) in enumerate(self._failures):
            if only in (None, method):
                del self._failures[index]
                return failure
        return None

    async def _fail(self, failure: Failure, request: web.Request) -> web.StreamResponse:
        if failure.hang:
            await self._closing.wait()
        if failure.drop and request.transport:
            request.transport.close()
        return web.Response(
            status=failure.status,
            text=failure.body,
            content_type=failure.content_type,
            charset="utf-8",
            headers=failure.headers,
        )

    def _answer(self, method: str, arguments: Answer, request: web.Request) -> Answer:
        if method not in _ARGUMENTS:
            raise Refused("unknown_method")
        secret = APP_TOKEN if method == "apps.connections.open" else self._token
        self._authenticate(request.headers.get("Authorization", ""), secret)
        unknown = sorted(arguments.keys() - _ARGUMENTS[method])
        if unknown or None in arguments.values():
            raise Refused("invalid_arguments", *(f"[ERROR] no such argument: {name}" for name in unknown))
        if method == "auth.test":
            return {"team": "Tidegate", "user": "tidegate", "bot_id": "B0TIDEGATE"}
        if method == "apps.connections.open":
            return {"url": f"{self._url('ws')}/link?ticket={self.sockets.ticket()}"}
        others = {
            "views.open": self._ask,
            "files.getUploadURLExternal": self._announce,
            "files.completeUploadExternal": self._share,
        }
        if method in others:
            return others[method](arguments)
        message = self._message(arguments)
        if method == "chat.postEphemeral":
            return self._whisper(arguments, message)
        return self._post(arguments, message) if method == "chat.postMessage" else self._update(arguments, message)

    def _authenticate(self, authorization: str, secret: str) -> None:
        if not authorization:
            raise Refused("not_authed")
        if authorization != f"Bearer {secret}":
            raise Refused("invalid_auth")

    def _url(self, scheme: str) -> str:
        return f"{scheme}://{self.base_url.split('/')[2]}"

    def _announce(self, arguments: Answer) -> Answer:
        length = str(arguments.get("length", ""))
        if not arguments.get("filename") or not length.isdecimal() or not int(length):
            raise Refused("invalid_arguments")
        if len(arguments.get("alt_txt", "")) > ALT_TEXT // 2:
            raise Refused("alt_txt_too_large")
        file = f"F0{len(self.files) + 1:04d}"
        self.files[file] = File(arguments["filename"], int(length), arguments.get("alt_txt", ""))
        return {"upload_url": f"{self._url('http')}/upload/{file}", "file_id": file}

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        if failure := self._failure("upload"):
            return await self._fail(failure, request)
        file, content = self.files[request.match_info["file"]], await request.read()
        if len(content) != file.length:
            return web.Response(status=400, text="wrong length")
        file.content = content
        return web.Response(text=f"OK - {len(content)}")

    def _share(self, arguments: Answer) -> Answer:
        found = _parsed(arguments.get("files", ""), "invalid_arguments")
        channel, thread = arguments.get("channel_id", ""), arguments.get("thread_ts", "")
        if channel not in self._channels:
            raise Refused("channel_not_found")
        if thread and (channel, thread) not in self.messages:
            raise Refused("thread_not_found")
        for named in found:
            file = self.files.get(named["id"])
            if file is None or not file.content:
                raise Refused("file_not_found")
            file.shared = True
            self._posted += 1
            ts = f"1795341600.{self._posted:06d}"
            self.messages[channel, ts] = Message(named.get("title", ""), [], thread or None, file=named["id"])
        return {"files": [{"id": named["id"], "title": named.get("title", "")} for named in found]}

    def _ask(self, arguments: Answer) -> Answer:
        trigger, view = arguments.get("trigger_id", ""), arguments.get("view")
        if not re.fullmatch(r"trigger-\d+", trigger):
            raise Refused("invalid_trigger_id")
        if trigger in self._triggers:
            raise Refused("exchanged_trigger_id")
        if problems := problems_of_view(view):
            raise Refused("invalid_arguments", *problems)
        self._triggers.add(trigger)
        self.views.append(arguments["view"])
        return {"view": {"id": f"V{len(self.views)}"}}

    def _whisper(self, arguments: Answer, message: Message) -> Answer:
        self._channel(arguments)
        if not arguments.get("user"):
            raise Refused("user_not_in_channel")
        self.whispers.append((arguments["user"], message.text))
        return {"message_ts": "1795341600.999999"}

    def _message(self, arguments: Answer) -> Message:
        message = _message(arguments)
        for place, block in enumerate(message.blocks):
            if "slack_file" in block and not self._may_show(block["slack_file"]["id"]):
                raise Refused("invalid_blocks", f"[ERROR] invalid slack file [json-pointer:/blocks/{place}/slack_file]")
        return message

    def _may_show(self, file: str) -> bool:
        found = self.files.get(file)
        if found is None or not found.shared:
            return False
        self.looks -= 1
        return self.looks < 0

    def _post(self, arguments: Answer, message: Message) -> Answer:
        channel = self._channel(arguments)
        if "thread_ts" in arguments:
            parent = self.messages.get((channel, arguments["thread_ts"]))
            if parent is None or parent.thread_ts:
                raise Refused("cannot_reply_to_message")
            if self.threads_fail:
                raise Refused("fatal_error")
        self._posted += 1
        self.posted_at.append(asyncio.get_running_loop().time())
        ts = f"1795341600.{self._posted:06d}"
        self.messages[channel, ts] = message
        return {"channel": channel, "ts": ts, "message": {"type": "message", "ts": ts, "text": message.text}}

    def _update(self, arguments: Answer, message: Message) -> Answer:
        channel, ts = arguments.get("channel"), arguments.get("ts")
        if channel not in self._channels:  # unlike chat.postMessage, it takes no name
            raise Refused("channel_not_found")
        if not isinstance(ts, str) or (known := self.messages.get((channel, ts))) is None:
            raise Refused("message_not_found")
        known.text, known.blocks, known.edits = message.text, message.blocks, known.edits + 1
        return {"channel": channel, "ts": ts, "text": message.text, "message": {"text": message.text}}

    def _channel(self, arguments: Answer) -> str:
        wanted = arguments.get("channel")
        for channel, name in self._channels.items():
            if wanted in (channel, name, f"#{name}"):
                return channel
        raise Refused("channel_not_found")


async def _arguments(request: web.Request) -> Answer:
    if request.content_type == "application/x-www-form-urlencoded":
        form: Answer = dict(request.query) | dict(await request.post())
        return form | {"blocks": _parsed(form["blocks"], "invalid_blocks_format")} if "blocks" in form else form
    if request.content_type != "application/json":
        raise Refused("invalid_post_type")
    found = _parsed(await request.text(), "invalid_json")
    if not isinstance(found, dict):
        raise Refused("json_not_object")
    return found


def _parsed(text: str, error: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as why:
        raise Refused(error) from why


def _message(arguments: Answer) -> Message:
    text, blocks = arguments.get("text", ""), arguments.get("blocks", [])
    if problems := problems_of(blocks):
        raise Refused("invalid_blocks", *problems)
    if not isinstance(text, str):
        raise Refused("invalid_arguments")
    if not text.strip() and not blocks:
        raise Refused("no_text")
    if len(text) > MESSAGE_TEXT:
        raise Refused("msg_too_long")
    return Message(text, blocks, arguments.get("thread_ts"))
