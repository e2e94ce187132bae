"""The commands of analysts."""

import sys
from pathlib import Path
from typing import Any

import click

from streamer.cli.base import CONFIG, Moment, cli, configured, example, in_order
from streamer.cli.watched import STRICT, watched
from streamer.clock import wall


@cli.command(**example("tidegate replay october/*.jsonl.zst --out october --config tidegate.toml"))
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@CONFIG
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("replay"), show_default=True)
@click.option("--from", "begin", type=Moment(), help="Leave out events before this time (RFC 3339).")
@click.option("--to", "end", type=Moment(), help="Leave out events from this time on (RFC 3339).")
@click.option(
    "--given-costs",
    type=click.Choice(["keep", "ignore"]),
    help="Keep the costs that senders gave, or price all usage anew; without it pricing.given_costs holds.",
)
@STRICT
@click.option("--workers", type=click.IntRange(1, 64), default=1, help="Processes that share the tenants; same bytes.")
def replay(
    sources: tuple[str, ...], path: Path | None, out: Path, workers: int, given_costs: str | None, **asked: Any
) -> None:
    """Run the Pipeline over files (.jsonl, .csv, .parquet; .gz, .zst), folders and patterns of them, or topics.

    A topic is written kafka://host:port/topic, a stretch of it kafka://host:port/topic?from=T&to=T, where T is an
    offset or a time. Several sources are merged in the order of time. Nothing is ever written to a topic.
    """
    in_order(asked["begin"], asked["end"])
    config = configured(path)
    if given_costs:
        config = config.model_copy(update={"pricing": config.pricing.model_copy(update={"given_costs": given_costs})})
    from streamer.garbage import collect_seldom  # noqa: PLC0415 - as above
    from streamer.replay.command import run  # noqa: PLC0415 - as above

    collect_seldom()
    with watched() as control:
        lines = list(run(sources, config, out, **asked, now=wall(), workers=workers, control=control))
    for line in lines:
        click.echo(line)
    if not control.goes_on():
        sys.exit(1)


@cli.command(**example("tidegate score series.csv --out scores.csv"))
@click.argument("series", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
def score(series: Path, out: Path) -> None:
    """Score one series (`timestamp,value`) by the outlier scorer, each row from the past alone."""
    from streamer.replay.score import write_scores  # noqa: PLC0415 - as above

    click.echo(f"{write_scores(series, out)} rows scored")
