"""The commands about the routes of alerts."""

from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from alerts.alert import LABELS, RANK, TAG, Alert, Label
from streamer.cli.base import CONFIG, Moment, cli, configured, example
from streamer.clock import utc, wall
from streamer.errors import SourceUnreadable
from streamer.explain import Explainer, alert_with, alerts_in


class LabelsParam(click.ParamType):
    """Labels as `name=value`, several with commas between them."""

    name = "labels"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[Label, str]:
        """Read the labels."""
        found = {}
        for part in value.split(","):
            name, is_label, said = part.partition("=")
            if not (is_label and said and (name in LABELS or name.startswith(TAG))):
                self.fail(
                    f"{part!r} is no label: NAME=VALUE, where NAME is {', '.join(LABELS)} or {TAG}...", param, ctx
                )
            if name == "severity" and said not in RANK:
                self.fail(f"severity is {', '.join(RANK)}, not {said!r}", param, ctx)
            found[name] = said
        return found


@cli.group(**example("tidegate routes test tenant=acme agent=triage kind=loop severity=critical"))
def routes() -> None:
    """See where alerts go."""


@routes.command(**example("tidegate routes test tenant=acme kind=loop severity=critical --config tidegate.toml"))
@click.argument("labels", nargs=-1, type=LabelsParam())
@CONFIG
@click.option(
    "--anomalies",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Instead of labels: a file of anomalies, such as a replay's anomalies.jsonl.",
)
@click.option("--at", type=Moment(), help="When it happens (RFC 3339); without it, now.")
@click.option("--firing", multiple=True, type=LabelsParam(), help="An alert that goes on already, by its labels.")
@click.option("--silenced", multiple=True, type=LabelsParam(), help="Labels that are muted.")
def test(
    labels: tuple[dict[Label, str], ...],
    path: Path | None,
    anomalies: Path | None,
    at: datetime | None,
    **assumed: tuple[dict[Label, str], ...],
) -> None:
    """Say where an alert with LABELS (NAME=VALUE ...) would go, and why."""
    if bool(labels) == bool(anomalies):
        raise click.UsageError("give either labels or --anomalies")
    config = configured(path)
    asked = _read(anomalies) if anomalies else [_asked(labels, at)]
    if not asked:
        return
    explainer = Explainer(config, asked[0][0], **assumed)
    for now, alert in asked:
        for line in explainer.explain(alert, now):
            click.echo(line)


def _asked(labels: tuple[dict[Label, str], ...], at: datetime | None) -> tuple[float, Alert]:
    now = at.timestamp() if at else wall()
    return now, alert_with("asked", {name: value for one in labels for name, value in one.items()}, utc(now))


def _read(path: Path) -> list[tuple[float, Alert]]:
    try:
        return list(alerts_in(line for line in path.read_bytes().splitlines() if line.strip()))
    except msgspec.DecodeError as error:
        raise SourceUnreadable(f"{path}: not the anomalies of a replay: {error}") from None
