"""The command of those who get the bill."""

from pathlib import Path

import click

from streamer.cli.base import CONFIG, cli, configured, example


@cli.command(**example("tidegate reconcile october/rollups.parquet focus-october.csv --tag team"))
@click.argument("rollups")
@click.argument("focus_export", type=click.Path(path_type=Path, dir_okay=False))
@CONFIG
@click.option("--tag", default="tenant", show_default=True, help="The tag of the bill's rows that names the tenant.")
@click.option(
    "--cost",
    type=click.Choice(["BilledCost", "EffectiveCost", "ListCost", "ContractedCost"]),
    default="BilledCost",
    show_default=True,
    help="The column of the bill that is compared.",
)
@click.option("--service", "services", multiple=True, help="A ServiceName to compare; without it, AI services.")
@click.option(
    "--most", type=click.IntRange(1), default=30, show_default=True, help="How many gaps are shown, the largest."
)
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON, exact.")
def reconcile(
    rollups: str, focus_export: Path, path: Path | None, as_json: bool, most: int, **options: str | tuple[str, ...]
) -> None:
    """Compare the stream's rollups (.parquet, .jsonl, kafka://host:port/topic) with a FOCUS export of the bill."""
    config = configured(path)
    from streamer.reconcile.command import run  # noqa: PLC0415 - pyarrow and rich cost time that others need not wait

    run(rollups, focus_export, config, most=0 if as_json else most, **options)
