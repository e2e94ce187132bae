"""What all commands share."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

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


class Duration(click.ParamType):
    """A length of time, such as 30m, 8h or 2d (s, m, h, d, w), of ten years at most."""

    name = "duration"
    units: ClassVar = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    longest = timedelta(days=3653)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read the length."""
        if not (found := re.fullmatch(r"([1-9][0-9]{0,5})([smhdw])", value, re.ASCII)):
            self.fail(f"{value!r} is no duration, such as 30m, 8h or 2d", param, ctx)
        length = timedelta(**{self.units[found[2]]: int(found[1])})
        return length if length <= self.longest else self.fail(f"{value} is more than ten years", param, ctx)


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
