"""Every command and every piece of code in the documents is run: here, or by the test that EXCEPTIONS names."""

import gzip
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openai
import pytest
import yaml
from click.testing import CliRunner
from pyarrow import csv, parquet

from alerts.webhook.sign import signature as webhook_signature
from streamer import logs
from streamer.cli.base import cli
from streamer.config import GatewayConfig, KafkaConfig
from tests.brokers import Broker
from tests.docs.test_snippets import ROOT, Snippet, snippets
from tests.docs.typed import statements
from tests.integration.deployment import Deployment, Process
from tests.streamer.reconcile.test_command import billed
from tests.streamer.replay.data import as_jsonl, day, replayed, write

pytestmark = pytest.mark.integration
LANGUAGES = {"": "shell", "sh": "shell", "console": "shell", "python": "python", "yaml": "yaml"}
# What is run elsewhere, by its language, or not at all.
OTHERS = {
    "toml": "tests/docs/test_snippets.py loads it as configuration",
    "sql": "tests/streamer/test_analysts_page.py runs it on what a replay wrote",
    "csv": "the owners' file of `tidegate routes test` below is one; test_owners.py reads such columns",
    "lua": "tests/integration/test_proxies.py runs it under LuaJIT",
    "nginx": "tests/integration/test_proxies.py runs nginx with it",
}
# Statements that are not run here, by how they begin or what they hold, and why.
EXCEPTIONS = {
    "make ": "`make -n` is asked whether it is there; what it does is CI's own command, and takes minutes",
    "TIDEGATE_TEST_CHAOS_SEED=7 make": "as above",
    "docker ": "needs an engine: tests/docker/test_compose.py",
    "metrics": "of the compose stack: tests/docker/test_compose.py",
    "pip install": "fetches packages; the environment of tests/integration/test_litellm.py is that",
    "export ": "of the proxy that tests/integration/test_litellm.py starts",
    "litellm ": "tests/integration/test_litellm.py",
    "aws ": "asks Amazon",
    "https://api.openai.com": "asks OpenAI",
    "https://api.anthropic.com": "asks Anthropic",
    "tidegate worker": "goes on until it is told to end: tests/integration/test_worker.py",
    "tidegate ingest": "the same: tests/integration/test_front_door.py",
    "tidegate page ": "the same: tests/integration/test_page.py",
    "tidegate archive": "goes on until it is told to end: tests/integration/test_same_answers.py",
    "tidegate backup": "the embedded broker does not tell who works: tests/integration/test_backup.py",
    "tidegate restore": "as above",
}
ALL = list(snippets())
BILLED = {"x_AIModel": "gpt-4o", "BilledCost": "1.5", "Tags": '{"tenant": "acme"}'}


def shell() -> list[tuple[str, str]]:
    """The statements of all pages but docs/start.md: that one is tests/docs/test_start.py."""
    blocks = [one for one in ALL if LANGUAGES.get(one.language) == "shell"]
    found = [(one.place, text) for one in blocks for text in statements(one.text)]
    return [(place, text) for place, text in found if not place.startswith("docs/start.md:")]


def excepted(statement: str) -> str:
    starts = (why for what, why in EXCEPTIONS.items() if statement.startswith(what) or f"/{what}" in statement)
    holds = (why for what, why in EXCEPTIONS.items() if "://" in what and what in statement)
    return next(starts, next(holds, ""))


RUN = [pytest.param(text, id=f"{place} {text[:40]}") for place, text in shell() if not excepted(text)]
COMMANDS = [param for param in RUN if param.values[0].startswith("tidegate")]
CURLS = [param for param in RUN if not param.values[0].startswith("tidegate")]


@pytest.fixture(scope="module")
def deployment(embedded_broker: str, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    made = Deployment(Broker("embedded", embedded_broker), tmp_path_factory.mktemp("typed"))
    assert made.command("topics", "--create").returncode == 0
    # Some documents ask for the October of a topic: between bounds in which nothing lies there is nothing to answer.
    old = {**day()[0], "id": "old", "time": "2026-10-05T12:00:00Z"}
    made.produce(made.topics.usage, [(row["tenant"], as_jsonl([row])) for row in (old, *day())])
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what the documents name."""
    here = tmp_path_factory.mktemp("folder")
    rows = day()
    for place in ("october", "replayed"):
        (here / place).mkdir()
    replayed(here / "replayed" / "october", write(here / "october", "day.jsonl", rows))
    billed(here / "replayed" / "focus-october.csv", {"x_AIModel": "gpt-4o", "BilledCost": "1.5"})
    shutil.copytree(ROOT / "examples", here / "examples")
    owners = next(one.text for one in ALL if one.language == "csv" and "cost_centre" in one.text)
    (here / "owners.csv").write_text(owners)
    for name in ("tidegate.toml", "now.toml", "then.toml", "corrected.toml"):
        (here / name).write_text('[alerts.owners]\nfile = "owners.csv"\n' if name == "tidegate.toml" else "")
    (here / "incidents.csv").write_text(f"tenant,start,end,kind\nacme,{rows[180]['time']},{rows[-1]['time']},loop\n")
    bill = billed(here / "focus-2026-11-20.csv", BILLED)
    (here / "focus-2026-11.csv.gz").write_bytes(gzip.compress(bill.read_bytes()))
    parquet.write_table(csv.read_csv(bill), here / "focus-2026-10.parquet")
    return here


@pytest.fixture(scope="module")
def door(deployment: Deployment) -> Iterator[Process]:
    with deployment.running("ingest") as served:
        yield served


@pytest.fixture(scope="module")
def decides(deployment: Deployment) -> Iterator[Process]:
    with deployment.running("gateway") as served:
        yield served


@pytest.mark.parametrize("statement", COMMANDS)
def test_a_command_does_what_the_documents_say(
    statement: str, deployment: Deployment, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where a replay has written october/, or where it has yet to be read.
    monkeypatch.chdir(folder / "replayed" if "october/rollups.parquet" in statement else folder)
    monkeypatch.setattr(logs, "set_up", lambda _: None)
    words = shlex.split(_ours(statement, deployment), comments=True)[1:]
    done = CliRunner().invoke(cli, words, env=deployment.environment)
    assert done.exit_code == 0, f"{done.output[-3000:]} {done.exception!r}"


@pytest.mark.parametrize("statement", CURLS)
def test_a_request_is_answered(statement: str, door: Process, decides: Process, folder: Path) -> None:
    line = re.sub(r"(127\.0\.0\.1|localhost):8088", door.url.removeprefix("http://"), statement)
    line = line.replace("localhost:8089", decides.url.removeprefix("http://"))
    done = subprocess.run(
        ["bash", "-ec", line.replace("curl ", "curl --fail-with-body -sS ")],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"rejected"' not in done.stdout


def _ours(statement: str, deployment: Deployment) -> str:
    """The same on the broker and in the topics of the test."""
    named = statement.replace("kafka://broker:9092/tidegate.", f"kafka://{deployment.bootstrap}/{deployment.group}.")
    return named.replace("\\\n", " ")


def test_every_block_is_run_or_said_why_not() -> None:
    assert {one.language for one in ALL} <= {*LANGUAGES, *OTHERS}
    used = {what for _, text in shell() for what in EXCEPTIONS if excepted(text) == EXCEPTIONS[what]}
    assert used == set(EXCEPTIONS), "an exception that nothing needs"
    assert len(RUN) >= 20


@pytest.mark.parametrize(
    "statement", [pytest.param(text, id=f"{place} {text[:40]}") for place, text in shell() if "make " in text[:40]]
)
def test_what_is_to_be_made_is_there(statement: str) -> None:
    words = shlex.split(statement, comments=True)
    target = words[words.index("make") + 1]
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("snippet", [pytest.param(s, id=s.place) for s in ALL if s.language == "yaml"])
def test_a_piece_of_yaml_can_be_read(snippet: Snippet) -> None:
    assert isinstance(yaml.safe_load(snippet.text), dict | list)


async def test_the_code_for_gateways_in_python_runs(deployment: Deployment) -> None:
    config = SimpleNamespace(
        kafka=KafkaConfig(bootstrap=deployment.bootstrap, topic_prefix=f"{deployment.group}.", idempotence=False),
        gateway=GatewayConfig(),
    )
    names = await _run("GatewayClient(", {"config": config, "session": "s1", "model": "gpt-4o"}, _GATEWAY)
    assert names["decision"].allowed
    names["reading"].cancel()


async def test_the_call_through_litellm_is_one_that_the_client_of_openai_takes() -> None:
    takes, asked = signature(openai.OpenAI(api_key="k").chat.completions.create), list[Any]()
    completions = SimpleNamespace(create=lambda **fields: asked.append(takes.bind(**fields).arguments))
    client = SimpleNamespace(chat=SimpleNamespace(completions=completions))
    await _run("client.chat.completions.create", {"client": client, "messages": [], "run_id": "r1"})
    assert asked[0]["extra_body"]["metadata"]["session_id"] == "r1"


async def test_the_code_that_verifies_a_webhook_knows_ours_from_others() -> None:
    now = int(time.time())
    head = {"secret": b"s", "timestamp": str(now), "body": b"{}", "time": time}
    for body, genuine in ((b"{}", True), (b"{ }", False)):
        made = webhook_signature(b"s", now, body)
        names = await _run("genuine = hmac", {**head, "signature": made}, "import hashlib, hmac")
        assert names["genuine"] is genuine


_GATEWAY = """
import asyncio
from alerts.throttle.admission import Request
from streamer.gateway.client import GatewayClient
"""


async def _run(holding: str, names: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Run the snippet that holds some words; gives the names that it leaves."""
    (snippet,) = (one for one in ALL if one.language == "python" and holding in one.text)
    lines = "\n".join(f"    {line}" for line in snippet.text.splitlines())
    scope: dict[str, Any] = dict(names)
    exec(f"{before}\nasync def typed():\n{lines}\n    return locals()", scope)  # noqa: S102 - that is what it is for
    return dict(await scope["typed"]())
