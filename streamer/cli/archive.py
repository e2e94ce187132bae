"""The command that keeps topics as files."""

from pathlib import Path
from typing import Any

import click

from streamer.cli.base import CONFIG, cli, configured, example
from streamer.clock import wall


@cli.command(**example("tidegate archive --out archive --config tidegate.toml"))
@CONFIG
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="The archive's folder.")
@click.option(
    "--topic",
    type=click.Choice(["usage", "rollups", "session-rollups"]),
    default="usage",
    show_default=True,
    help="What to keep.",
)
@click.option("--once", is_flag=True, help="End where the topic ends now, instead of going on.")
@click.option("--every", type=click.FloatRange(1), default=300.0, show_default=True, help="Seconds between files.")
def archive(path: Path | None, out: Path, **asked: Any) -> None:
    """Keep a topic as Parquet by day and tenant, exactly once; replay, DuckDB, Spark and Trino read it."""
    config = configured(path)
    from streamer.archive.command import run  # noqa: PLC0415 - as above

    click.echo(run(config, out=out, clock=wall, **asked))
