"""The compose stack on a real engine: whether there is one, and a stack of a name of its own."""

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker" / "compose.yaml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]
IMAGES: dict[str, str] = {name: service["image"] for name, service in SERVICES.items()}
OURS = "tidegate:local"
PATIENCE = 180.0


def there(image: str) -> bool:
    """Whether the engine has an image."""
    return _docker("image", "inspect", image).returncode == 0


def why_not() -> str:
    """Say what keeps the stack from being started here, "" if nothing does; nothing is fetched."""
    if not shutil.which("docker") or _docker("version", "--format", "{{.Server.Version}}").returncode:
        return "no Docker engine answers (DOCKER_HOST)"
    if not _program():
        return "no `docker compose` and no `docker-compose`"
    if missing := [image for name, image in IMAGES.items() if name != "grafana" and not there(image)]:
        return f"the engine has no {', '.join(missing)}: pull and build them, or `python -m tests.docker.standins`"
    if taken := [port for port in (3000, 8070, 8088, 9090, 9092) if listens(port)]:
        return f"somebody listens on {', '.join(map(str, taken))}"
    return ""


class Stack:
    """The services of compose.yaml that have an image here, with their containers."""

    def __init__(self, name: str, folder: Path) -> None:
        """Take compose.yaml and the folder's override.yaml."""
        self.services = [service for service, image in IMAGES.items() if there(image)]
        program = _program()
        file = FILE if len(program) > 1 else _without_name(folder)
        where = ["--project-directory", str(FILE.parent), "-f", str(file), "-f", str(folder / "override.yaml")]
        self._line = [*program, "-p", name, *where]

    def run(self, *arguments: str) -> str:
        """Run a compose command, and give what it says."""
        done = subprocess.run([*self._line, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0, f"{arguments}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def containers(self, service: str) -> list[dict[str, Any]]:
        """What the engine knows of the containers of a service, those that have ended too."""
        found = _docker("inspect", *self.run("ps", "-a", "-q", service).split())
        return list(json.loads(found.stdout))

    def healthy(self) -> bool:
        """Whether every container that was started is healthy by its own check."""
        return all(
            one["State"]["Health"]["Status"] == "healthy" for name in self.services for one in self.containers(name)
        )


@contextmanager
def running(name: str, folder: Path) -> Iterator[Stack]:
    """Start the stack, give it when all of it is healthy, and leave nothing of it behind."""
    stack = Stack(name, folder)
    try:
        stack.run("up", "-d", "--no-build", "--scale", "worker=2", *stack.services)
        until(stack.healthy, "every container to be healthy")
        yield stack
    finally:
        print(stack.run("logs", "--no-color", "--tail=60"))  # noqa: T201 - pytest shows it where a test fails
        stack.run("down", "-v", "-t", "5")


def until(holds: Callable[[], Any], what: str) -> None:
    """Wait until `holds`."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.5)


def kill(container: dict[str, Any]) -> None:
    """End a container at once, as a machine does that dies."""
    assert _docker("kill", container["Id"]).returncode == 0


def asked(url: str, *, raw: bool = False) -> Any:
    """The JSON that a server of the stack answers, or the text."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode() if raw else json.load(answer)


def _program() -> list[str]:
    if _docker("compose", "version").returncode == 0:
        return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else []


def _without_name(folder: Path) -> Path:
    """The file as docker-compose takes it, which knows no `name`."""
    copy = folder / FILE.name
    copy.write_text(re.sub(r"^name:.*\n", "", FILE.read_text(), flags=re.MULTILINE))
    return copy


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)


def listens(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
