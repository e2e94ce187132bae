"""The command by which people answer anomalies."""

from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import click

from streamer.cli.base import CONFIG, Duration, Moment, cli, configured, example
from streamer.clock import utc, wall
from streamer.events.rejected import Rejected
from streamer.feedback import SCHEMA, VERDICTS, Feedback, feedback_of
from streamer.records import Scope


@cli.command(**example("tidegate feedback false_alarm --incident 4f2a6c1e9b03d857 --by ann"))
@click.argument("verdict", type=click.Choice(VERDICTS))
@CONFIG
@click.option("--tenant", default="", help="Whose it is; may be left out where --incident says it.")
@click.option("--incident", default="", help="The incident that is answered, for all anomalies in it.")
@click.option("--anomaly", default="", help="The anomaly that is answered, by its id.")
@click.option("--series", default="", help="The series that is answered, such as tenant=acme#requests.")
@click.option("--use-case", default="", help="A part of the tenant: the use case.")
@click.option("--agent", default="", help="A part of the tenant: the agent.")
@click.option("--model", default="", help="A part of the tenant: the model.")
@click.option("--session", default="", help="A part of the tenant: the session.")
@click.option("--tool", default="", help="A part of the tenant: the tool.")
@click.option("--for", "length", type=Duration(), help="How long it holds from now, such as 30m, 8h or 2d.")
@click.option("--until", type=Moment(), help="When it ends (RFC 3339), in place of --for.")
@click.option("--by", default="", help="Who says so.")
def feedback(verdict: str, path: Path | None, length: timedelta | None, until: datetime | None, **fields: str) -> None:
    """Answer an anomaly, or announce what is planned; the detectors act upon expected, planned and false_alarm."""
    if length and until:
        raise click.UsageError("--for and --until exclude each other")
    now = utc(wall())
    said = _feedback(verdict, now + length if length else until, fields, now)
    config = configured(path)
    from streamer.kafka.say import say  # noqa: PLC0415 - as above

    say(said, config.kafka)
    end = f", until {said.until:%Y-%m-%d %H:%M %Z}" if said.until else ""
    click.echo(f"{said.verdict} is said, as {said.id}{end}")


def _feedback(verdict: str, until: datetime | None, fields: dict[str, str], now: datetime) -> Feedback:
    scope = {name: fields.pop(name) for name in Scope.__struct_fields__}
    said = {"schema": SCHEMA, "id": uuid4().hex, "time": now, "verdict": verdict, "scope": scope, "until": until}
    found = feedback_of({**said, **fields}, now)
    if isinstance(found, Rejected):
        raise click.UsageError(found.detail)
    return found
