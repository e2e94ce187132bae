"""The compose stack on a real engine: it comes up as it promises, and the demo's story runs through it exactly."""

import asyncio
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlencode

import aiohttp
import pytest
import yaml
from rich.console import Console

from streamer.config import Config
from streamer.demo.command import Demo
from streamer.demo.screen import Screen
from streamer.demo.stack import Stack as Running
from tests.brokers import Broker
from tests.docker.compose import IMAGES, SERVICES, Stack, asked, kill, running, until, why_not
from tests.docker.test_stack import DASHBOARD, OURS, RULES
from tests.integration.deployment import Deployment
from tests.integration.events import metered, produced, usage

pytestmark = pytest.mark.integration
SETTINGS = Path(__file__).with_name("story.toml")
KAFKA, PROMETHEUS = "127.0.0.1:9092", "http://127.0.0.1:9090/api/v1"
# Of a batch of usage each, four a second, as long as the story goes on.
BATCH, PAUSE = 20, 0.25


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack with the demo's settings, mounted as compose.yaml says."""
    if why := why_not():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("compose")
    ours = {
        "environment": {"TIDEGATE_CONFIG": "/etc/tidegate.toml"},
        "volumes": [f"{SETTINGS}:/etc/tidegate.toml:ro"],
    }
    (folder / "override.yaml").write_text(yaml.safe_dump({"services": dict.fromkeys(OURS, ours)}))
    with running("tidegate-test", folder) as started:
        yield started


def test_what_runs_is_held_as_tightly_as_the_file_says(stack: Stack) -> None:
    for service in stack.services:
        for container in stack.containers(service):
            held = container["HostConfig"]
            assert held["CapDrop"] == ["ALL"]
            assert held["ReadonlyRootfs"] is SERVICES[service].get("read_only", False)
            uid = _in(container, "id", "-u").stdout.strip()
            assert uid != "0", service
            assert _in(container, "touch", "/etc/tidegate.toml", "/opt/x").returncode, service


def test_the_hot_path_is_compiled_and_no_compiler_is_shipped(stack: Stack) -> None:
    (page,) = stack.containers("page")
    found = _in(
        page,
        "python",
        "-c",
        "import streamer.tenant, detectors.loop.ring as r; print(streamer.tenant.__file__, r.__file__)",
    )
    assert [Path(name).suffix for name in found.stdout.split()] == [".so", ".so"]
    assert _in(page, "sh", "-c", "command -v gcc cc pip").stdout == ""


def test_prometheus_finds_every_process_and_takes_every_rule_and_every_panel(stack: Stack) -> None:
    def up() -> list[str]:
        targets = asked(f"{PROMETHEUS}/targets")["data"]["activeTargets"]
        return sorted(one["labels"]["service"] for one in targets if one["health"] == "up")

    until(lambda: up() == ["ingest", "page", "worker", "worker"], "prometheus to reach all processes")
    rules = [rule for group in asked(f"{PROMETHEUS}/rules")["data"]["groups"] for rule in group["rules"]]
    until(lambda: _evaluated() == {rule["alert"] for rule in RULES}, "each rule to be evaluated")
    assert {rule["name"]: rule.get("lastError") for rule in rules} == {rule["alert"]: None for rule in RULES}
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            assert _result(target["expr"]) is not None, panel["title"]


def test_grafana_has_the_dashboard(stack: Stack) -> None:
    if "grafana" not in stack.services:
        pytest.skip(f"the engine has no {IMAGES['grafana']}, and it has no stand-in")
    found = asked("http://127.0.0.1:3000/api/search?type=dash-db")
    assert DASHBOARD["title"] in [one["title"] for one in found]


async def test_the_story_runs_through_it_and_a_worker_that_is_killed_loses_nothing(stack: Stack) -> None:
    demo, sent = Demo(_outside(), Screen(Console(quiet=True))), list[dict[str, Any]]()
    ended = asyncio.Event()
    posting = asyncio.create_task(_post(sent, ended))
    killing = asyncio.create_task(_kill_one(stack, demo))
    try:
        await demo.play(once=True)
    finally:
        ended.set()
    await posting
    assert demo.story.missing() == []
    assert killing.done(), "no worker was killed"
    rollups, of_sessions = "tidegate.rollups", "tidegate.session-rollups"
    here = Deployment(Broker("apache", KAFKA), Path())
    found = await asyncio.to_thread(
        here.consume_until, lambda found: _ours(metered(found[rollups])) == produced(sent), rollups, of_sessions
    )
    keys = [(one["series"], one["start"], one["part"]) for one in (*found[rollups], *found[of_sessions])]
    assert len(keys) == len(set(keys)), "a rollup was written twice"
    assert len(sent) > 1000
    said = await asyncio.to_thread(stack.run, "run", "--rm", "worker", "status")
    assert "Stable, 1 worker" in said


def _outside() -> Running:
    """The stack as it is seen from outside, for the demo's traffic and its gateway."""
    values = tomllib.loads(SETTINGS.read_text())
    values["kafka"]["bootstrap"] = KAFKA
    nothing = SimpleNamespace(stdout=asyncio.StreamReader())
    return Running(Config.model_validate(values), cast(Any, nothing))


async def _post(sent: list[dict[str, Any]], ended: asyncio.Event) -> None:
    """Send usage of known totals to the front door, besides the demo's."""
    async with aiohttp.ClientSession() as session:
        while not ended.is_set():
            # Each in a session of its own: agents that take turns in one would be told of as a loop.
            batch = [usage(n, session=f"session-{n}") for n in range(len(sent), len(sent) + BATCH)]
            async with session.post("http://127.0.0.1:8088/v1/events", json=batch) as answer:
                assert answer.status == 202, await answer.text()
            sent += batch
            await asyncio.sleep(PAUSE)


async def _kill_one(stack: Stack, demo: Demo) -> None:
    """Kill the worker that has the incidents as soon as a command is obeyed: it still has to be released."""
    while "obeyed" not in demo.story.chapters["loop"].seen:  # noqa: ASYNC110 - the story sets one event, at its end
        await asyncio.sleep(0.1)
    workers = await asyncio.to_thread(stack.containers, "worker")
    busy = next(one for one in workers if _metric(one, "tidegate_incidents_open") > 0)
    await asyncio.to_thread(kill, busy)


def _metric(container: dict[str, Any], name: str) -> float:
    (place,) = container["NetworkSettings"]["Ports"]["6066/tcp"]
    lines = asked(f"http://127.0.0.1:{place['HostPort']}/metrics", raw=True).splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def _ours(totals: dict[str, Any]) -> dict[str, Any]:
    return {tenant: counts for tenant, counts in totals.items() if tenant.startswith("tenant-")}


def _evaluated() -> set[str]:
    groups = asked(f"{PROMETHEUS}/rules")["data"]["groups"]
    return {rule["name"] for group in groups for rule in group["rules"] if rule["health"] == "ok"}


def _result(expression: str) -> Any:
    query = expression.replace("$__rate_interval", "1m").replace("$__interval", "1m")
    return asked(f"{PROMETHEUS}/query?{urlencode({'query': query})}")["data"]["result"]


def _in(container: dict[str, Any], *command: str) -> subprocess.CompletedProcess[str]:
    line = ["docker", "exec", container["Id"], *command]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
