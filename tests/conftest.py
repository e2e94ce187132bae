"""What tests need from outside, as fixtures: brokers and real data. CI fails without any of it, others skip."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, settings

from streamer.demo.broker import EmbeddedBroker
from tests.brokers import Broker
from tests.brokers.apache import ApacheKafka, KafkaUnavailable, apache_kafka

# LiteLLM lives in an environment of its own: `make litellm`.
LITELLM = Path(__file__).parents[1] / ".venv-litellm" / "bin"
SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"

# CI judges a change by the same examples each time; whoever runs the tests elsewhere looks for new ones. Machines are
# shared, so that neither says anything by being slow. `make test-fast` takes few examples of everything.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("here"), derandomize=True)
settings.register_profile("fast", settings.get_profile("here"), max_examples=14)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")
# What has a number of its own takes a seventh of it in that profile, too, but at least so many.
_LEAST = 4


def pytest_configure() -> None:
    """Refuse to test what was compiled before its source was changed: that would say nothing of the source."""
    root = Path(__file__).parents[1]
    built = [compiled.stat().st_mtime for compiled in root.glob("tidegate__mypyc.*.so")]
    for source in (root / "compiled.txt").read_text().split() if built else ():
        if (root / source).stat().st_mtime > max(built):
            pytest.exit(f"{source} has changed since it was compiled: run `make install`", returncode=1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests, and take fewer examples where that was asked for.

    What starts brokers begins first, for it takes longest. Processes take a file at a time: its fixtures are shared.
    """
    items.sort(key=lambda item: item.get_closest_marker("integration") is None)
    if settings.get_current_profile_name() == "fast":
        for item in items:
            _take_fewer_examples(getattr(item, "obj", None))


def _take_fewer_examples(test: Any) -> None:
    test = getattr(test, "__func__", test)
    known = getattr(test, "_hypothesis_internal_use_settings", None)
    if known and known.max_examples != settings.default.max_examples:
        fewer = min(known.max_examples, max(_LEAST, known.max_examples // 7))
        test._hypothesis_internal_use_settings = settings(known, max_examples=fewer)


@pytest.fixture(scope="session")
def embedded_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the embedded broker."""
    with EmbeddedBroker(tmp_path_factory.mktemp("embedded") / "broker.log") as broker:
        yield broker.bootstrap


@pytest.fixture(scope="session")
def apache_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    """A running Apache Kafka."""
    with ExitStack() as stack:
        try:
            kafka = stack.enter_context(apache_kafka(tmp_path_factory.mktemp("apache")))
        except KafkaUnavailable as why:
            go_without("Apache Kafka", str(why))
        yield kafka


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real traces and payloads, which is no part of the repository."""
    if not SHARED_DATA.is_dir():
        go_without("real traces and payloads", f"nothing is in {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Chromium is."""
    found = shutil.which("chromium")
    if found is None:
        go_without("Chromium", "apt-get install chromium")
    return found


@pytest.fixture(scope="session")
def litellm_command() -> Path:
    """The command that starts LiteLLM's proxy."""
    command = LITELLM / "litellm"
    if not command.is_file():
        go_without("LiteLLM", "run `make litellm`")
    return command


def go_without(what: str, reason: str) -> NoReturn:
    """Leave the test out for want of something; CI has to have it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI needs {what}: {reason}")
    pytest.skip(f"no {what}: {reason}")


@pytest.fixture(params=["embedded", "apache"])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each of the brokers in turn."""
    if request.param == "embedded":
        return Broker("embedded", request.getfixturevalue("embedded_broker"))
    return Broker("apache", request.getfixturevalue("apache_broker").bootstrap)
