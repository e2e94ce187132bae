"""The page over HTTP: its files, what is shown as JSON, what changes as events, and what people do."""

import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol

import msgspec
import structlog
from aiohttp import web
from aiokafka.errors import KafkaError

from streamer.clock import utc, wall
from streamer.feedback import Feedback
from streamer.page.access import COOKIE, Access, Request, Who, proves
from streamer.page.actions import Asked, feedback_of_action
from streamer.page.answers import Answers, Ask
from streamer.page.http import answered, body_of, check_origin, given, said
from streamer.page.kept import Kept
from streamer.page.live import Live
from streamer.page.refused import Refused
from streamer.page.shell import HEADERS, shell
from streamer.page.sight import Sight
from streamer.page.state import PageState
from streamer.web.metrics import Metrics

log = structlog.get_logger()
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_Shown = Callable[[Ask, Sight, float], Any]
_WHO = web.RequestKey("who", Who)


class Writes(Protocol):
    """Writes a person's word where the worker reads it; raises KafkaError or TimeoutError."""

    async def __call__(self, feedback: Feedback, /) -> None:
        """Return once it is kept."""


class Page:
    """Handlers for one state."""

    def __init__(self, state: PageState, access: Access, live: Live, write: Writes, metrics: Metrics) -> None:
        self._state, self._access, self._live = state, access, live
        self._write, self._metrics = write, metrics
        self._answers, self._kept = Answers(state), Kept()
        self._files = shell()

    def routes(self) -> list[web.RouteDef]:
        """Give all routes but those of operation, which Prometheus and orchestrators ask by any name of ours."""
        answers = self._answers
        shown: dict[str, _Shown] = {
            "/api/overview": answers.overview,
            "/api/series": answers.series,
            "/api/chart": answers.chart,
            "/api/incidents": answers.incidents,
            "/api/incidents/{id}": answers.incident,
            "/api/tenants/{name}": answers.tenant,
        }
        pages = ("/", "/incidents", "/incidents/{id}", "/tenants/{name}")
        return [
            *(web.get(path, self._open(self._index)) for path in pages),
            web.get("/static/{name}", self._open(self._static)),
            web.get("/api/me", self._open(self._me)),
            *(web.get(path, self._known(self._showing(show))) for path, show in shown.items()),
            web.get("/api/live", self._known(self._events)),
            web.post("/api/actions", self._known(self._act)),
            web.post("/api/sign-in", self._open(self._sign_in)),
            web.post("/api/sign-out", self._known(self._sign_out)),
            web.route("*", "/{anything:.*}", self._open(_nothing)),
        ]

    def _open(self, handler: _Handler) -> _Handler:
        """Guard a handler that is for everybody: no foreign names, no forged actions, and the headers of protection."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            try:
                self._check(request)
                answer = await handler(request)
            except Refused as refused:
                answer = said(refused.status, str(refused))
            if not answer.prepared:
                answer.headers.update(HEADERS)
            return answer

        return guarded

    def _known(self, handler: _Handler) -> _Handler:
        """Guard a handler that is for those whom the page knows; their actions carry its proof."""

        async def knowing(request: web.Request) -> web.StreamResponse:
            who = self._who(request)
            if request.method == "POST" and not proves(who, request.headers.get("X-Tidegate-Csrf", "")):
                raise Refused(403, "the action does not carry the page's proof: load the page again")
            request[_WHO] = who
            return await handler(request)

        return self._open(knowing)

    def _check(self, request: web.Request) -> None:
        if not self._access.is_ours(request.host):
            raise Refused(421, "the page is not known by this name: see page.public_url and page.hosts")
        if request.method == "POST":
            check_origin(request)

    def _asking(self, request: web.Request) -> Who | None:
        asking = Request(request.remote or "", request.headers, request.cookies.get(COOKIE, ""))
        return self._access.who(asking, wall())

    def _who(self, request: web.Request) -> Who:
        who = self._asking(request)
        if who is None:
            raise Refused(401, "sign in first")
        return who

    def _showing(self, show: _Shown) -> _Handler:
        async def handler(request: web.Request) -> web.Response:
            sight, now, asked = request[_WHO].sight, wall(), {**request.query, **request.match_info}

            def answer() -> bytes:
                return msgspec.json.encode(show(asked, sight, now))

            # Answers go by whom a person may see, not by who it is.
            question = request.rel_url.raw_path_qs, sight.tenants
            return given(200, self._kept.get(question, self._state.board.version, now, answer))

        return handler

    async def _index(self, _: web.Request) -> web.Response:
        return self._file("index.html")

    async def _static(self, request: web.Request) -> web.Response:
        return self._file(request.match_info["name"])

    def _file(self, name: str) -> web.Response:
        found = self._files.get(name)
        if found is None:
            raise Refused(404, "there is no such file")
        kind, _, charset = found.content_type.partition("; charset=")
        answer = web.Response(body=found.body, content_type=kind, charset=charset or None)
        answer.headers["Cache-Control"] = "no-cache"
        return answer

    async def _me(self, request: web.Request) -> web.Response:
        who = self._asking(request)
        if who is None:
            return answered(200, {"name": ""})
        return answered(200, {**msgspec.to_builtins(who.sight), "csrf": who.csrf, "session": COOKIE in request.cookies})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={**HEADERS, "Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        answer.content_type = "text/event-stream"
        await answer.prepare(request)
        try:
            async for event in self._live.news(request[_WHO].sight):
                self._who(request)  # a session that is over sees nothing more
                await answer.write(event)
        except (ConnectionError, Refused):
            pass
        return answer

    async def _act(self, request: web.Request) -> web.Response:
        asked = await body_of(request, Asked)
        outcome = "failed"
        try:
            word = self._word(asked, request[_WHO].sight, utc(wall()))
            await self._write(word)
            outcome = "written"
        except Refused:
            outcome = "refused"
            raise
        except (KafkaError, TimeoutError) as error:
            log.warning("Kafka did not take an action", error=repr(error))
            raise Refused(503, "Kafka does not answer; nothing was done, try again") from error
        finally:
            self._metrics.page_actions.labels(asked.verdict, outcome).inc()
        return answered(202, {"id": word.id, "verdict": word.verdict, "incident": word.incident, "by": word.by})

    def _word(self, asked: Asked, sight: Sight, now: datetime) -> Feedback:
        incident = self._state.board.incidents.get(asked.incident)
        return feedback_of_action(asked, incident, sight, f"page-{secrets.token_hex(12)}", now)

    async def _sign_in(self, request: web.Request) -> web.Response:
        token, session = (await body_of(request, dict[str, str])).get("token", ""), secrets.token_urlsafe(32)
        if not self._access.sign_in(token.strip(), session, wall()):
            raise Refused(403, "nobody has this token")
        answer = answered(200, {})
        # Lax, so that a link in a message finds who is signed in; actions carry a proof besides.
        answer.set_cookie(COOKIE, session, httponly=True, samesite="Lax", secure=self._access.secure, path="/")
        return answer

    async def _sign_out(self, request: web.Request) -> web.Response:
        self._access.sign_out(request.cookies.get(COOKIE, ""))
        answer = answered(200, {})
        answer.del_cookie(COOKIE, path="/")
        return answer


async def _nothing(_: web.Request) -> web.StreamResponse:
    raise Refused(404, "there is nothing here")
