"""Health, readiness and metrics over HTTP."""

import socket
from collections.abc import Iterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from streamer.web.metrics import Metrics
from streamer.web.server import OF_WORKERS, operations, serving

LOCAL = "127.0.0.1"


class Process:
    """A served process, ready or not."""

    def __init__(self) -> None:
        self.metrics, self.why_not = Metrics(), ""
        app = web.Application()
        app.add_routes(operations(self.metrics, lambda: self.why_not))
        self.client = TestClient(TestServer(app))

    async def get(self, path: str) -> tuple[int, str]:
        async with self.client, self.client.get(path) as answer:
            return answer.status, await answer.text()


async def test_a_process_that_runs_is_healthy_though_it_is_not_ready() -> None:
    process = Process()
    process.why_not = "waiting for partitions"
    assert await process.get("/healthz") == (200, "ok\n")


async def test_readiness_says_why_not() -> None:
    process = Process()
    process.why_not = "waiting for partitions"
    async with process.client as client:
        async with client.get("/readyz") as answer:
            assert (answer.status, await answer.text()) == (503, "waiting for partitions\n")
        process.why_not = ""
        async with client.get("/readyz") as answer:
            assert (answer.status, await answer.text()) == (200, "ready\n")


async def test_metrics_are_in_the_format_of_prometheus() -> None:
    process = Process()
    process.metrics.events.labels("counted").inc(7)
    async with process.client as client, client.get("/metrics") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        families = {family.name: family for family in text_string_to_metric_families(await answer.text())}
    (counted,) = [s for s in families["tidegate_events"].samples if s.name == "tidegate_events_total"]
    assert (counted.labels, counted.value) == ({"outcome": "counted"}, 7)


async def test_two_processes_share_no_metric() -> None:
    one, other = Metrics(), Metrics()
    one.rewinds.inc()
    assert other.registry.get_sample_value("tidegate_rewinds_total") == 0


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as other:
        other.bind((LOCAL, 0))
        other.listen()
        yield other.getsockname()[1]


async def served(port: int) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"http://{LOCAL}:{port}/healthz") as answer:
        return await answer.text()


async def test_a_free_port_is_given() -> None:
    async with serving(operations(Metrics(), str), LOCAL, 0) as port:
        assert await served(port) == "ok\n"


async def test_of_several_ports_the_first_free_one_is_taken(taken: int) -> None:
    async with (
        serving(operations(Metrics(), str), LOCAL, taken, ports=OF_WORKERS) as first,
        serving(operations(Metrics(), str), LOCAL, taken, ports=OF_WORKERS) as second,
    ):
        assert taken < first < second
        assert [await served(port) for port in (first, second)] == ["ok\n", "ok\n"]


async def test_where_the_port_is_taken_it_says_so_and_listens_nowhere_else(taken: int) -> None:
    with pytest.raises(OSError, match="address already in use"):
        async with serving(operations(Metrics(), str), LOCAL, taken):
            pass


async def test_the_last_port_has_no_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    async def refuse(site: web.TCPSite) -> None:
        tried.append(site._port)
        raise OSError("taken")

    monkeypatch.setattr(web.TCPSite, "start", refuse)
    with pytest.raises(OSError, match="taken"):
        async with serving(operations(Metrics(), str), LOCAL, 65_530, ports=OF_WORKERS):
            pass
    assert tried == list(range(65_530, 65_536))
