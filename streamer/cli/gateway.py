"""The command of gateways."""

import sys
from pathlib import Path

from streamer.cli.base import CONFIG, cli, configured, example


@cli.command(**example("tidegate gateway --config tidegate.toml"))
@CONFIG
def gateway(path: Path | None) -> None:
    """Answer gateways over HTTP whether a request may go through: POST /v1/decide, and /v1/authz for Envoy."""
    config = configured(path)
    from streamer.gateway.server import start  # noqa: PLC0415 - aiokafka costs time that other commands need not wait

    sys.exit(start(config))
