"""Builds Tidegate's image and the stand-ins that can be had: `python -m tests.docker.standins`.

It needs an engine (DOCKER_HOST), the images debian:bookworm-slim and python:3.11-slim-bookworm, and packages of Debian
and Python. An image that is there is left alone. Grafana has no stand-in.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.brokers.apache import kafka_jars
from tests.docker.compose import IMAGES, OURS, ROOT, there

HERE = Path(__file__).parent


def main() -> None:
    """Build what is missing; Tidegate's own image each time."""
    _built(OURS, ROOT / "docker" / "Dockerfile", ROOT)
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        shutil.copytree(kafka_jars(), context / "jars")
        for name in ("run", "versions"):
            shutil.copy(HERE / name, context / name)
        for service in ("kafka", "prometheus"):
            if not there(IMAGES[service]):
                _built(IMAGES[service], HERE / f"{service}.Dockerfile", context)


def _built(image: str, file: Path, context: Path) -> None:
    command = ["docker", "build", "--network", "host", "-q", "-t", image, "-f", str(file), str(context)]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
