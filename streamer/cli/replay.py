"""The commands of analysts."""

from datetime import datetime
from pathlib import Path

import click

from streamer.cli.base import CONFIG, Moment, cli, configured, example


@cli.command(**example("tidegate replay october.jsonl.zst --out october --config tidegate.toml"))
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
def replay(
    sources: tuple[str, ...],
    path: Path | None,
    out: Path,
    given_costs: str | None,
    **span: datetime | None,
) -> None:
    """Run the Pipeline over files (.jsonl, .csv, .parquet; .gz, .zst) or kafka://host:port/topic."""
    config = configured(path)
    if given_costs:
        config = config.model_copy(update={"pricing": config.pricing.model_copy(update={"given_costs": given_costs})})
    from streamer.replay.command import run  # noqa: PLC0415 - as above

    for line in run(sources, config, out, **span):
        click.echo(line)


@cli.command(**example("tidegate score series.csv --out scores.csv"))
@click.argument("series", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
def score(series: Path, out: Path) -> None:
    """Score one series (`timestamp,value`) by the outlier scorer, each row from the past alone."""
    from streamer.replay.score import write_scores  # noqa: PLC0415 - as above

    click.echo(f"{write_scores(series, out)} rows scored")
