"""The commands that try configurations on past data."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamer.cli.base import CONFIG, Moment, cli, configured, example, in_order
from streamer.cli.watched import STRICT, watched
from streamer.clock import wall
from streamer.config import Config

if TYPE_CHECKING:
    from streamer.replay.feed import Job

_SOURCES = click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
_BEGIN = click.option("--from", "begin", type=Moment(), help="Leave out events before this time (RFC 3339).")
_END = click.option("--to", "end", type=Moment(), help="Leave out events from this time on (RFC 3339).")
_LABELS = click.option(
    "--labels",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    required=True,
    help="What really happened: tenant, start, end, and kind, use_case, agent, session where known (.csv or .jsonl).",
)
_GRACE = click.option("--grace", type=click.FloatRange(0), default=300.0, show_default=True, help="Seconds after a label's end in which an alarm still counts for it.")  # fmt: skip # noqa: E501
_RECOVERY = click.option("--recovery", type=click.FloatRange(0), default=1800.0, show_default=True, help="Seconds after that in which no alarm is false.")  # fmt: skip # noqa: E501


def _out(default: str) -> Callable[[Any], Any]:
    return click.option("--out", type=click.Path(path_type=Path), default=Path(default), show_default=True)


@cli.command(**example("tidegate compare october --config now.toml --config then.toml"))
@_SOURCES
@click.option("--config", "paths", multiple=True, type=click.Path(path_type=Path, dir_okay=False), help="A configuration; give two or more, each is held against the first.")  # fmt: skip # noqa: E501
@_out("compare")
@_BEGIN
@_END
@STRICT
def compare(sources: tuple[str, ...], paths: tuple[Path, ...], out: Path, **asked: Any) -> None:
    """Say what other configurations would have told: gained, lost, earlier, later, dollars caught, messages sent."""
    in_order(asked["begin"], asked["end"])
    if len(paths) < 2:
        raise click.UsageError("give --config twice or more: there must be something to compare")
    configs = [(str(path), configured(path)) for path in paths]
    from streamer.replay.compare import run  # noqa: PLC0415 - as above

    with watched() as control:
        lines = list(run(_job(sources, configs[0][1], **asked), configs, out, control))
    _say(lines)


@cli.command(**example("tidegate backtest october --labels incidents.csv --config tidegate.toml"))
@_SOURCES
@CONFIG
@_LABELS
@_out("backtest")
@_GRACE
@_RECOVERY
@_BEGIN
@_END
@STRICT
def backtest(sources: tuple[str, ...], path: Path | None, labels: Path, out: Path, **asked: Any) -> None:
    """Hold the alarms of a configuration against what really happened: precision, recall, delay, dollars lost."""
    in_order(asked["begin"], asked["end"])
    config = configured(path)
    from streamer.replay.backtest import Margins, Truth, run  # noqa: PLC0415 - as above
    from streamer.replay.labels import read_labels  # noqa: PLC0415 - as above

    margins = Margins(asked.pop("grace"), asked.pop("recovery"))
    with watched() as control:
        job = _job(sources, config, **asked)
        lines = list(run(job, Truth(read_labels(labels), margins), out, control))
    _say(lines)


@cli.command(**example("tidegate tune october --labels incidents.csv --false-alarms 0.5 --out tuned.toml"))
@_SOURCES
@CONFIG
@_LABELS
@click.option("--false-alarms", "most_false", type=click.FloatRange(0), default=0.5, show_default=True, help="The budget: false alarms a tenant and day.")  # fmt: skip # noqa: E501
@click.option("--held-out", type=click.FloatRange(0, 0.9), default=0.3, show_default=True, help="The share of the tenants that take no part in the search.")  # fmt: skip # noqa: E501
@click.option("--later", type=click.FloatRange(0, 0.9), default=0.3, show_default=True, help="The share of the time, at its end, that takes no part either.")  # fmt: skip # noqa: E501
@_out("tuned.toml")
@_GRACE
@_RECOVERY
@_BEGIN
@_END
@STRICT
def tune(sources: tuple[str, ...], path: Path | None, labels: Path, out: Path, **asked: Any) -> None:
    """Search thresholds under a budget of false alarms, and say what they would do to what was held out."""
    in_order(asked["begin"], asked["end"])
    config = configured(path)
    from streamer.replay.backtest import Margins, Truth  # noqa: PLC0415 - as above
    from streamer.replay.labels import read_labels  # noqa: PLC0415 - as above
    from streamer.replay.tune import Aim, run  # noqa: PLC0415 - as above

    margins = Margins(asked.pop("grace"), asked.pop("recovery"))
    aim = Aim(*(asked.pop(name) for name in ("most_false", "held_out", "later")))
    with watched() as control:
        job = _job(sources, config, **asked)
        lines = list(run(job, Truth(read_labels(labels), margins), aim, out, control))
    _say(lines)


def _job(sources: tuple[str, ...], config: Config, **asked: Any) -> "Job":
    from streamer.garbage import collect_seldom  # noqa: PLC0415 - as above
    from streamer.replay.feed import Job  # noqa: PLC0415 - as above
    from streamer.replay.places import expand  # noqa: PLC0415 - as above

    collect_seldom()
    return Job(tuple(expand(sources)), config, now=wall(), **asked)


def _say(lines: list[str]) -> None:
    for line in lines:
        click.echo(line)
