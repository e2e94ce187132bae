"""The command line: `tidegate`."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import click

from streamer import logs, settings
from streamer.clock import utc, wall
from streamer.config import Config
from streamer.errors import TidegateError
from streamer.events.rejected import Rejected
from streamer.feedback import SCHEMA, VERDICTS, Feedback, feedback_of
from streamer.records import Scope

_CONFIG = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="TIDEGATE_CONFIG",
    help="The configuration file (TOML); without it, defaults and the environment hold.",
)


class _Moment(click.ParamType):
    """A point in time as RFC 3339; without a zone it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read the time."""
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no RFC 3339 time, such as 2026-11-01T00:00:00Z", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


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


@cli.command(**_example("tidegate ingest --config tidegate.toml"))
@_CONFIG
def ingest(path: Path | None) -> None:
    """Run the HTTP front door: POST /v1/events."""
    config = _configured(path)
    from streamer.ingest.server import start  # noqa: PLC0415 - as above

    sys.exit(start(config))


@cli.command(**_example("tidegate replay october.jsonl.zst --out october --config tidegate.toml"))
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@_CONFIG
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("replay"), show_default=True)
@click.option("--from", "begin", type=_Moment(), help="Leave out events before this time (RFC 3339).")
@click.option("--to", "end", type=_Moment(), help="Leave out events from this time on (RFC 3339).")
def replay(
    sources: tuple[str, ...], path: Path | None, out: Path, begin: datetime | None, end: datetime | None
) -> None:
    """Run the Pipeline over files (.jsonl, .csv, .parquet; .gz, .zst) or kafka://host:port/topic."""
    config = _configured(path)
    from streamer.replay.command import run  # noqa: PLC0415 - as above

    for line in run(sources, config, out, begin, end):
        click.echo(line)


@cli.command(**_example("tidegate score series.csv --out scores.csv"))
@click.argument("series", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
def score(series: Path, out: Path) -> None:
    """Score one series (`timestamp,value`) by the outlier scorer, each row from the past alone."""
    from streamer.replay.score import write_scores  # noqa: PLC0415 - as above

    click.echo(f"{write_scores(series, out)} rows scored")


@cli.command(**_example("tidegate feedback false_alarm --incident 4f2a6c1e9b03d857 --by ann"))
@click.argument("verdict", type=click.Choice(VERDICTS))
@_CONFIG
@click.option("--tenant", default="", help="Whose it is; may be left out where --incident says it.")
@click.option("--incident", default="", help="The incident that is answered, for all anomalies in it.")
@click.option("--anomaly", default="", help="The anomaly that is answered, by its id.")
@click.option("--series", default="", help="The series that is answered, such as tenant=acme#requests.")
@click.option("--use-case", default="", help="A part of the tenant: the use case.")
@click.option("--agent", default="", help="A part of the tenant: the agent.")
@click.option("--model", default="", help="A part of the tenant: the model.")
@click.option("--session", default="", help="A part of the tenant: the session.")
@click.option("--tool", default="", help="A part of the tenant: the tool.")
@click.option("--until", type=_Moment(), help="The end of what is planned (RFC 3339).")
@click.option("--by", default="", help="Who says so.")
def feedback(verdict: str, path: Path | None, until: datetime | None, **fields: str) -> None:
    """Answer an anomaly, or announce what is planned; the detectors act upon expected, planned and false_alarm."""
    said = _feedback(verdict, until, fields, utc(wall()))
    config = _configured(path)
    from streamer.kafka.say import say  # noqa: PLC0415 - as above

    say(said, config.kafka)
    click.echo(f"{said.verdict} is said, as {said.id}")


def _feedback(verdict: str, until: datetime | None, fields: dict[str, str], now: datetime) -> Feedback:
    scope = {name: fields.pop(name) for name in Scope.__struct_fields__}
    said = {"schema": SCHEMA, "id": uuid4().hex, "time": now, "verdict": verdict, "scope": scope, "until": until}
    found = feedback_of({**said, **fields}, now)
    if isinstance(found, Rejected):
        raise click.UsageError(found.detail)
    return found


@cli.command(**_example("tidegate demo --once"))
@click.option("--once", is_flag=True, help="End when the story is told; exit 0 only if all of it happened.")
def demo(once: bool) -> None:
    """See it all on this machine: broker, front door, worker, a gateway, and an agent that runs away."""
    from streamer.demo.command import run  # noqa: PLC0415 - as above

    sys.exit(run(once=once))


def _configured(path: Path | None) -> Config:
    config = settings.load(path)
    logs.set_up(config.log)
    return config


def main() -> None:
    """Run the command line; errors that Tidegate knows of, or the system's, are said in a line and exit with 1."""
    try:
        cli.main(standalone_mode=True)
    except (TidegateError, OSError) as error:
        for line in (str(error) or repr(error)).splitlines():
            click.echo(f"tidegate: {line}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
