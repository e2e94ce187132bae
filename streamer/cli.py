"""The command line: `tidegate`."""

import sys
from pathlib import Path
from typing import Any

import click

from streamer import logs, settings
from streamer.config import Config
from streamer.errors import TidegateError

_CONFIG = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="TIDEGATE_CONFIG",
    help="The configuration file (TOML); without it, defaults and the environment hold.",
)


def _example(command: str) -> dict[str, Any]:
    return {"epilog": f"Example: {command}"}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tidegate")
def cli() -> None:
    """Tidegate watches what AI systems spend as they spend it."""


@cli.command(**_example("tidegate worker --config tidegate.toml"))
@_CONFIG
def worker(path: Path | None) -> None:
    """Run the Faust worker: usage in, anomalies, notifications and throttle commands out."""
    config = _configured(path)
    from streamer.kafka.worker import start  # noqa: PLC0415 - Faust costs a second that other commands need not wait

    sys.exit(start(config))


@cli.command("check-config", **_example("tidegate check-config tidegate.toml"))
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
def check_config(path: Path) -> None:
    """Check a configuration file and the environment, and list all mistakes at once."""
    settings.load(path)
    click.echo(f"{path}: good")


def _configured(path: Path | None) -> Config:
    config = settings.load(path)
    logs.set_up(config.log)
    return config


def main() -> None:
    """Run the command line; errors that Tidegate knows of are said in a line and exit with 1."""
    try:
        cli.main(standalone_mode=True)
    except TidegateError as error:
        click.echo(f"tidegate: {error}", err=True)
        sys.exit(1)
