"""The command line: `tidegate`. A module a group of commands; each puts its own into `base.cli`."""

import sys

import click

from streamer.cli import (  # noqa: F401 - they add their commands
    analysts,
    archive,
    feedback,
    finance,
    gateway,
    letters,
    operate,
    replay,
    routes,
    services,
    showback,
)
from streamer.cli.base import cli
from streamer.errors import TidegateError


def main() -> None:
    """Run the command line; errors that Tidegate knows of, or the system's, are said in a line and exit with 1."""
    try:
        cli.main(standalone_mode=True)
    except (TidegateError, OSError) as error:
        for line in (str(error) or repr(error)).splitlines():
            click.echo(f"tidegate: {line}", err=True)
        sys.exit(1)
