"""What all commands share."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from streamer import logs, settings
from streamer.config import Config

#: The option of the configuration file.
CONFIG = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="TIDEGATE_CONFIG",
    help="The configuration file (TOML); without it, defaults and the environment hold.",
)


class Moment(click.ParamType):
    """A point in time as RFC 3339; without a zone it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read the time."""
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no RFC 3339 time, such as 2026-11-01T00:00:00Z", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def example(command: str) -> dict[str, Any]:
    """Give the keywords that put an example below a command's help."""
    return {"epilog": f"Example: {command}"}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tidegate")
def cli() -> None:
    """Tidegate watches what AI systems spend as they spend it."""


def configured(path: Path | None) -> Config:
    """Read the configuration and set up the logs as it says."""
    config = settings.load(path)
    logs.set_up(config.log)
    return config
