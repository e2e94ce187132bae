"""The operator's commands."""

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click

from streamer.cli.base import CONFIG, cli, configured, example
from streamer.clock import wall
from streamer.config import Config
from streamer.errors import KafkaUnreachable
from streamer.operate.finding import Finding
from streamer.whole import whole

_T = TypeVar("_T")


@cli.command(**example("tidegate status --config tidegate.toml"))
@CONFIG
def status(path: Path | None) -> None:
    """Say who works, what has not been applied yet, how old checkpoints are, and what gateways were told."""
    config = configured(path)
    from streamer.operate.status import standing  # noqa: PLC0415 - as above

    click.echo("\n".join(_asked(standing(config, wall()), config)))


@cli.command(**example("tidegate doctor --config tidegate.toml"))
@CONFIG
def doctor(path: Path | None) -> None:
    """Look at Kafka, topics, permissions, prices, Slack and the clock; exit 1 if something has to be done."""
    config = configured(path)
    from streamer.operate.doctor import examine  # noqa: PLC0415 - as above

    _tell(asyncio.run(examine(config, wall())))


@cli.command(**example("tidegate topics --create --config tidegate.toml"))
@CONFIG
@click.option("--create", is_flag=True, help="Make those that are missing, with the settings they must have.")
def topics(path: Path | None, create: bool) -> None:
    """Hold the topics against what they must be; exit 1 if one is not."""
    config = configured(path)
    from streamer.operate.topics import look, make  # noqa: PLC0415 - as above

    _tell(_asked(make(config.kafka) if create else look(config.kafka), config))


@cli.command(**example("tidegate backup state.zst --config tidegate.toml"))
@CONFIG
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def backup(path: Path | None, file: Path) -> None:
    """Write the state of the workers into FILE; they have to be stopped, and what comes in waits in Kafka."""
    config = configured(path)
    from streamer.operate import backup_file  # noqa: PLC0415 - as above
    from streamer.operate.backup import taken  # noqa: PLC0415 - as above

    # Outside of what is asked of Kafka: what is wrong with a file is no broker's silence.
    with whole(file) as part:
        held = _asked(taken(config.kafka), config)
        backup_file.save(held, part)
    click.echo(f"{file}: {held.records:,} records of {len(held.logs)} partitions")


@cli.command(**example("tidegate restore state.zst --config tidegate.toml"))
@CONFIG
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--replace", is_flag=True, help="Have the backup take the place of the state that there is.")
def restore(path: Path | None, file: Path, replace: bool) -> None:
    """Put the state of the workers back from FILE; they have to be stopped, and go on from where it was made."""
    config = configured(path)
    from streamer.operate import backup_file  # noqa: PLC0415 - as above
    from streamer.operate.backup import put_back  # noqa: PLC0415 - as above

    held = backup_file.load(file)
    _asked(put_back(config.kafka, held, replace=replace), config)
    click.echo(f"{file}: {held.records:,} records are back")


def _asked(question: Coroutine[Any, Any, _T], config: Config) -> _T:
    from aiokafka.errors import KafkaError  # noqa: PLC0415 - as above

    try:
        return asyncio.run(question)
    except (KafkaError, OSError) as error:
        raise KafkaUnreachable(f"no Kafka broker answers at {config.kafka.bootstrap}: {error}") from error


def _tell(findings: list[Finding]) -> None:
    for finding in findings:
        click.echo(finding.line())
    sys.exit(any(finding.grade == "bad" for finding in findings))
