"""The commands for what was rejected."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from streamer.cli.base import CONFIG, Moment, cli, configured, example

if TYPE_CHECKING:
    from streamer.letters.select import Wanted
    from streamer.letters.topic import Found


def _filters(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which letters are meant."""
    options = (
        CONFIG,
        click.option("--reason", "reasons", multiple=True, help="Only this reason, such as missing_tenant."),
        click.option("--topic", "topics", multiple=True, help="Only what came from this topic, such as raw."),
        click.option("--since", type=Moment(), help="Only what was rejected from this time on (RFC 3339)."),
        click.option("--most", default=1000, show_default=True, help="The newest so many of them."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@cli.group("dead-letters", **example("tidegate dead-letters list --reason missing_tenant"))
def dead_letters() -> None:
    """What was rejected: look at it, and send it again once what was wrong is mended."""


@dead_letters.command("list", **example("tidegate dead-letters list --reason missing_tenant --since 2026-11-22"))
@_filters
@click.option("--counts", is_flag=True, help="Only how many there are, by topic and reason.")
@click.option("--json", "as_json", is_flag=True, help="Print the letters as JSON lines.")
def listed(path: Path | None, most: int, counts: bool, as_json: bool, **filters: Any) -> None:
    """List dead letters, oldest first: when, from where, why, how large. Values are in none."""
    config = configured(path)
    from streamer.letters.select import place  # noqa: PLC0415 - as in services
    from streamer.letters.topic import read  # noqa: PLC0415

    found = read(_wanted(**filters), most, config.kafka)
    if counts:
        _say_how_many(found, "")
        for (topic, reason), count in sorted(found.counts.items()):
            click.echo(json.dumps([topic, reason, count]) if as_json else f"{count:>8}  {topic}  {reason}")
        return
    for letter in found.letters:
        text = f"{letter.at:%Y-%m-%dT%H:%M:%SZ}  {place(letter)}  {letter.reason}  {letter.size} bytes: {letter.detail}"
        click.echo(msgspec.json.encode(letter) if as_json else text)
    _say_how_many(found, "shows")


@dead_letters.command("replay", **example("tidegate dead-letters replay --reason missing_tenant --dry-run"))
@_filters
@click.option("--dry-run", is_flag=True, help="Only say what could be sent again, and what not.")
def replay_letters(path: Path | None, most: int, dry_run: bool, **filters: Any) -> None:
    """Send what was rejected again to where it can be taken: usage to raw, feedback to feedback."""
    config = configured(path)
    from streamer.letters.select import place  # noqa: PLC0415 - as above
    from streamer.letters.topic import read, resend  # noqa: PLC0415

    found = read(_wanted(**filters), most, config.kafka)
    letters = found.letters
    left = resend(letters, config.kafka, dry=dry_run)
    for letter, why in left:
        click.echo(f"{place(letter)}: {why}", err=True)
    click.echo(f"{len(letters) - len(left)} {'can be' if dry_run else 'were'} sent again, {len(left)} cannot be")
    _say_how_many(found, "takes")


def _say_how_many(found: "Found", takes: str) -> None:
    """Say where nothing was found, or more than was taken: a filter, or --most, may be another than was meant."""
    if not found.counts:
        click.echo("no dead letters, or none that these options mean", err=True)
    elif takes and found.counts.total() > len(found.letters):
        click.echo(f"{found.counts.total()} in all: --most {takes} more", err=True)


def _wanted(reasons: tuple[str, ...], topics: tuple[str, ...], since: datetime | None) -> "Wanted":
    from streamer.letters.select import Wanted  # noqa: PLC0415 - as above

    return Wanted(reasons, topics, since)
