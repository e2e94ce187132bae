"""The page over HTTP: who is let in, what is acted upon, and the tricks that must not work."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiokafka.errors import KafkaError

from streamer.config import PageConfig
from streamer.feedback import Feedback
from streamer.page.access import Access
from streamer.page.live import Live
from streamer.page.server import Page
from streamer.page.state import Change, PageState
from streamer.web.metrics import Metrics
from streamer.web.tokens import hashed
from tests.streamer.page.build import TOPICS, give, incident, rollup, state

TOKEN = "tgp_ann"
ANN = {"name": "ann", "token_sha256": hashed(TOKEN), "operator": True}
BOB = {"name": "bob", "token_sha256": hashed("tgp_bob"), "tenants": ("globex",)}
HOSTILE = "<img src=x onerror=alert(1)>/../%2e%2e"


class Served:
    """A served page, and what it has written."""

    def __init__(self, client: "TestClient[Any, Any]", known: PageState, live: Live, metrics: Metrics) -> None:
        self.client, self.state, self.live, self.metrics = client, known, live, metrics
        self.written: list[Feedback] = []
        self.broken = False
        self.csrf = ""

    async def write(self, feedback: Feedback) -> None:
        if self.broken:
            raise KafkaError("no leader")
        self.written.append(feedback)

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        async with self.client.get(path, headers=headers) as answer:
            return answer.status, await answer.json()

    async def post(self, path: str, body: Any, **headers: str) -> int:
        sent = {"Content-Type": "application/json", **headers}
        async with self.client.post(path, data=json.dumps(body), headers=sent) as answer:
            return answer.status

    async def act(self, body: Any = None, **headers: str) -> int:
        """Acknowledge incident i1 as the page does, but for what is given."""
        if not self.csrf:
            self.csrf = (await self.get("/api/me"))[1].get("csrf", "")
        sent = {"X-Tidegate-Csrf": self.csrf, **headers}
        return await self.post("/api/actions", body or {"verdict": "acknowledge", "incident": "i1"}, **sent)


@asynccontextmanager
async def serving(*people: Any, **page: Any) -> AsyncIterator[Served]:
    config, known = PageConfig(people=people, **page), state()
    give(known, TOPICS.rollups, rollup("acme"), rollup("globex"), rollup(HOSTILE))
    give(known, TOPICS.alerts, incident("i1", "acme"), incident("i2", "globex"), incident(HOSTILE, HOSTILE))
    live, metrics = Live(pause=0.01, calm=0.01, heartbeat=0.05), Metrics()
    app = web.Application()
    found = Served(TestClient(TestServer(app)), known, live, metrics)
    app.add_routes(Page(known, Access(config, b"k" * 32), live, found.write, metrics).routes())
    async with found.client:
        yield found
        live.close()


async def test_an_action_is_written_with_its_author() -> None:
    async with serving() as page:
        assert await page.act() == 202
        assert [(one.verdict, one.incident, one.by) for one in page.written] == [("acknowledge", "i1", "local")]


async def test_every_button_writes_its_verdict_and_what_needs_an_end_asks_for_it() -> None:
    plain = ("acknowledge", "expected", "false_alarm", "mute", "throttle", "release")
    async with serving() as page:
        statuses = [await page.act({"verdict": verdict, "incident": "i1"}) for verdict in (*plain, "planned")]
        assert statuses == [202] * len(plain) + [422]
        until = {"verdict": "planned", "incident": "i1", "until": "2100-01-01T00:00:00Z"}
        assert await page.act(until) == 202
        assert await page.act({**until, "until": "2001-01-01T00:00:00Z"}) == 422
        assert [one.verdict for one in page.written] == [*plain, "planned"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"verdict": "shout", "incident": "i1"},
        {"verdict": "mute"},
        {"verdict": "mute", "incident": "i1", "by": "eve"},
    ],
)
async def test_an_action_that_makes_no_sense_is_refused(body: Any) -> None:
    async with serving() as page:
        assert await page.act(body or {"x": 1}) == 400
        assert not page.written


async def test_who_only_looks_cannot_act_and_acts_on_nothing_that_is_not_theirs() -> None:
    async with serving(ANN, BOB) as page:
        bearer = {"Authorization": "Bearer tgp_bob"}
        _, me = await page.get("/api/me", **bearer)
        page.csrf = me["csrf"]
        assert await page.act({"verdict": "mute", "incident": "i2"}, **bearer) == 403
        assert await page.act({"verdict": "mute", "incident": "i1"}, **bearer) == 404
        assert not page.written


BOBS = {"Authorization": "Bearer tgp_bob"}


async def test_what_belongs_to_others_is_as_if_it_were_not_there_however_it_is_asked_for() -> None:
    ways = [
        "incidents/i1",
        "incidents/i1?id=i2",
        "incidents/../incidents/i1",
        "tenants/acme",
        "tenants/acme?name=globex",
        "tenants/%61cme",
        "tenants/ACME",
    ]
    async with serving(ANN, BOB) as page:
        assert [(await page.get(f"/api/{way}", **BOBS))[0] for way in ways] == [404] * len(ways)
        # What Ann was just shown is not kept for Bob.
        for path in ("overview", "series?tenant=acme", "series?q=acme", "incidents?q=acme", "chart?key=tenant=acme"):
            _, hers = await page.get(f"/api/{path}", Authorization=f"Bearer {TOKEN}")
            _, his = await page.get(f"/api/{path}", **BOBS)
            assert "acme" in json.dumps(hers)
            assert "acme" not in json.dumps({**his, "key": ""})
        _, mine = await page.get("/api/tenants/globex?name=acme", **BOBS)
        assert mine["name"] == "globex"


@pytest.mark.parametrize("where", ["/api/overview?token={}", "/api/overview?access_token={}", "/?token={}#{}"])
async def test_a_token_in_an_address_opens_nothing(where: str) -> None:
    async with serving(ANN) as page:
        async with page.client.get(where.format(TOKEN, TOKEN)) as answer:
            assert answer.status in (200, 401)
            assert "tidegate_session" not in answer.cookies
        assert (await page.get("/api/overview"))[0] == 401


async def test_a_proxys_word_is_taken_from_the_proxy_alone() -> None:
    signed = {"X-Forwarded-User": "ann", "X-Forwarded-For": "10.0.0.1", "Forwarded": "for=10.0.0.1"}
    async with serving(ANN, proxy_header="X-Forwarded-User", proxy_from=("10.0.0.1",)) as page:
        assert (await page.get("/api/overview", **signed))[0] == 401
        assert await page.act(**signed) == 401
        assert not page.written
    async with serving(ANN, proxy_header="X-Forwarded-User", proxy_from=("127.0.0.1",)) as page:
        assert (await page.get("/api/overview", **signed))[0] == 200
        assert (await page.get("/api/overview", **{**signed, "X-Forwarded-User": "mallory"}))[0] == 401


async def test_a_proof_of_one_person_is_none_of_another() -> None:
    async with serving(ANN, {**BOB, "operator": True}) as page:
        _, bob = await page.get("/api/me", **BOBS)
        page.csrf = bob["csrf"]
        assert await page.act(Authorization=f"Bearer {TOKEN}") == 403
        assert not page.written


async def test_of_a_session_that_is_over_the_line_tells_nothing_more() -> None:
    async with serving(ANN) as page:
        assert await page.post("/api/sign-in", {"token": TOKEN}) == 200
        _, me = await page.get("/api/me")
        async with page.client.get("/api/live") as line, asyncio.timeout(10):
            assert (await next_event(line))[0] == "hello"
            assert await page.post("/api/sign-out", {}, **{"X-Tidegate-Csrf": me["csrf"]}) == 200
            page.live.tell(Change("incidents", frozenset({"acme"})))
            assert b"incidents" not in await line.content.read()


async def test_what_has_changed_is_answered_at_once() -> None:
    async with serving() as page:
        assert (await page.get("/api/incidents?state=open"))[1]["total"] == 3
        give(page.state, TOPICS.alerts, incident("i3", "acme"))
        assert (await page.get("/api/incidents?state=open"))[1]["total"] == 4


async def test_an_action_that_kafka_does_not_take_is_not_said_to_be_done() -> None:
    async with serving() as page:
        page.broken = True
        assert await page.act() == 503
        labels = {"verdict": "acknowledge", "outcome": "failed"}
        assert page.metrics.registry.get_sample_value("tidegate_page_actions_total", labels) == 1


@pytest.mark.parametrize(
    "forged",
    [
        {"X-Tidegate-Csrf": ""},
        {"X-Tidegate-Csrf": "0" * 64},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
    ],
)
async def test_what_another_page_makes_a_browser_send_is_refused(forged: dict[str, str]) -> None:
    async with serving() as page:
        assert await page.act(**forged) in (403, 421)
        assert not page.written


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_what_a_form_can_send_is_refused(kind: str) -> None:
    async with serving() as page:
        assert await page.act(**{"Content-Type": kind}) == 415
        assert not page.written


async def test_a_long_body_is_refused() -> None:
    async with serving() as page:
        assert await page.act({"verdict": "mute", "incident": "x" * 20_000}) == 413


async def test_strangers_are_shown_nothing() -> None:
    async with serving(ANN) as page:
        paths = ("overview", "series", "chart?key=tenant=acme", "incidents", "incidents/i1", "tenants/acme", "live")
        assert [(await page.get(f"/api/{path}"))[0] for path in paths] == [401] * len(paths)
        assert await page.get("/api/me") == (200, {"name": ""})
        assert await page.act() == 401


async def test_a_token_opens_a_session_that_no_script_can_read() -> None:
    async with serving(ANN, public_url="https://tide.example.org") as page:
        assert await page.post("/api/sign-in", {"token": "guess"}) == 403
        sent = {"Content-Type": "application/json"}
        async with page.client.post("/api/sign-in", data=json.dumps({"token": TOKEN}), headers=sent) as answer:
            cookie = answer.cookies["tidegate_session"]
        assert (cookie["httponly"], cookie["secure"], cookie["samesite"], cookie["path"]) == (True, True, "Lax", "/")
        _, me = await page.get("/api/me", Cookie=f"tidegate_session={cookie.value}")
        assert (me["name"], me["operator"]) == ("ann", True)


async def test_a_session_ends_when_its_owner_signs_out() -> None:
    async with serving(ANN) as page:
        assert await page.post("/api/sign-in", {"token": TOKEN}) == 200
        _, me = await page.get("/api/me")
        assert await page.post("/api/sign-out", {}, **{"X-Tidegate-Csrf": me["csrf"]}) == 200
        assert await page.get("/api/me") == (200, {"name": ""})


async def test_the_page_is_not_known_by_a_foreign_name() -> None:
    async with serving() as page:
        assert (await page.get("/api/overview", Host="evil.example"))[0] == 421
        assert (await page.get("/api/overview", Host="localhost:99"))[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/..%2fserver.py",
        "/static/%2e%2e%2fserver.py",
        "/static/..%5cserver.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/app.js%00.css",
        "/static/",
        "/static/__init__.py",
        "/.git/config",
    ],
)
async def test_no_path_leads_out_of_the_pages_own_files(path: str) -> None:
    async with serving() as page:
        # as it is sent by hand, for clients tidy paths up
        reader, writer = await asyncio.open_connection("127.0.0.1", page.client.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        assert answer.split()[1] == b"404"


async def test_hostile_names_are_only_ever_text() -> None:
    async with serving() as page:
        name = "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%2F..%2F%252e%252e"
        status, found = await page.get(f"/api/tenants/{name}")
        assert (status, found["name"]) == (200, HOSTILE)
        async with page.client.get(f"/tenants/{name}") as answer:
            assert "onerror" not in await answer.text()


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/api/overview", "/nowhere", "/api/incidents/none"])
async def test_every_answer_carries_the_headers_of_protection(path: str) -> None:
    async with serving() as page, page.client.get(path) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] in ("no-store", "no-cache")


async def next_event(answer: Any) -> tuple[str, Any]:
    """The next event that is no heartbeat."""
    while True:
        lines = (await answer.content.readuntil(b"\n\n")).decode().splitlines()
        fields = dict(line.split(": ", 1) for line in lines if line and not line.startswith(":"))
        if "event" in fields:
            return fields["event"], msgspec.json.decode(fields["data"])


async def test_news_comes_to_whom_it_concerns_and_to_nobody_else() -> None:
    async with serving(ANN, BOB) as page:
        bob = page.client.get("/api/live", headers={"Authorization": "Bearer tgp_bob"})
        ann = page.client.get("/api/live", headers={"Authorization": f"Bearer {TOKEN}"})
        async with bob as to_bob, ann as to_ann, asyncio.timeout(10):
            assert [(await next_event(one))[0] for one in (to_bob, to_ann)] == ["hello", "hello"]
            page.live.tell(Change("incidents", frozenset({"acme"})))
            page.live.tell(Change("spend", frozenset({"globex"})))
            assert await next_event(to_bob) == ("news", ["spend"])
            assert (await next_event(to_ann))[1][0] == "incidents"


async def test_a_line_that_is_still_says_so() -> None:
    async with serving() as page, page.client.get("/api/live") as answer, asyncio.timeout(10):
        await answer.content.readuntil(b"\n\n")
        assert await answer.content.readuntil(b"\n\n") == b": still here\n\n"
        assert len(page.live) == 1


async def test_the_end_of_the_server_ends_its_lines() -> None:
    async with serving() as page, page.client.get("/api/live") as answer, asyncio.timeout(10):
        await answer.content.readuntil(b"\n\n")
        page.live.close()
        await answer.content.read()
        assert len(page.live) == 0
