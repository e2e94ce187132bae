"""What all commands share."""

import re
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import click

from streamer import logs, settings
from streamer.config import Config
from streamer.errors import TidegateError

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


def in_order(begin: datetime | None, end: datetime | None) -> None:
    """Raise UsageError where nothing can lie between the bounds of a command."""
    if begin and end and begin >= end:
        raise click.UsageError(f"--from {begin.isoformat()} is not before --to {end.isoformat()}")


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


class Commands(click.Group):
    """The commands; each one's module is imported when it is asked for, as many need libraries that take a second."""

    #: By module of this package.
    modules: ClassVar = {
        "analysts": ("compare", "backtest", "tune"),
        "archive": ("archive",),
        "feedback": ("feedback",),
        "finance": ("reconcile",),
        "gateway": ("gateway",),
        "letters": ("dead-letters",),
        "operate": ("status", "doctor", "topics", "backup", "restore"),
        "replay": ("replay", "score"),
        "routes": ("routes",),
        "services": ("worker", "ingest", "page", "page-token", "tokens", "check-config", "demo"),
        "showback": ("showback",),
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all of them."""
        return sorted(name for names in self.modules.values() for name in names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find one, for which its module has to be imported."""
        for module, names in self.modules.items():
            if cmd_name in names:
                import_module(f"{__package__}.{module}")
        return super().get_command(ctx, cmd_name)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tidegate")
def cli() -> None:
    """Tidegate watches what AI systems spend as they spend it."""


def run() -> int:
    """Run what the command line asks for; gives the exit status.

    Errors that Tidegate knows of, or the system's, are said in a line and give 1, wrong usage gives 2.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    try:
        return cli.main(standalone_mode=False) or 0
    except click.Abort as stopped:
        raise KeyboardInterrupt from stopped
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (TidegateError, OSError) as error:
        for line in (str(error) or repr(error)).splitlines():
            click.echo(f"tidegate: {line}", err=True)
        return 1


def configured(path: Path | None) -> Config:
    """Read the configuration and set up the logs as it says."""
    config = settings.load(path)
    logs.set_up(config.log)
    return config
