"""The faults, each from its beginning until what it needs is mended; how long each lasts is up to the dice."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import get_args

from tests.brokers.apache import JarsKafka
from tests.chaos.fleet import Fleet
from tests.chaos.freezing import COMMITTING, WRITING
from tests.chaos.line import Cut


@dataclass
class Field:
    """What faults strike; `size` is how many workers there are to be after each of them.

    A worker is taken for dead `session_seconds` after its last word to the group. Without `kafka` the broker is not
    ours, and nothing of `OF_OUR_BROKER` can be done.
    """

    fleet: Fleet
    kafka: JarsKafka | None
    size: int
    session_seconds: float


def kill(field: Field, dice: Random) -> None:
    """SIGKILL to a worker, and a new one some time later."""
    field.fleet.any(dice).kill()
    _wait(dice, 0, 2)


def leave_and_join(field: Field, dice: Random) -> None:
    """One more joins and the oldest leaves, or one leaves before another joins."""
    if dice.random() < 0.5:
        field.fleet.start()
        _wait(dice, 0, 6)
    else:
        field.fleet.any(dice).leave()
        _wait(dice, 0, 2)


def kill_the_broker(field: Field, dice: Random) -> None:
    """SIGKILL to Kafka, and its start; at times a worker dies with it."""
    assert field.kafka is not None
    field.kafka.kill()
    if dice.random() < 0.3:
        field.fleet.any(dice).kill()
    _wait(dice, 0, 4)
    field.kafka.start()


def cut_the_line(field: Field, dice: Random) -> None:
    """One worker's line, for longer than its session; with one worker, at times another takes over meanwhile."""
    cut_off = field.fleet.any(dice)
    assert cut_off.line is not None
    cut_off.line.cut(dice.choice(get_args(Cut)))
    if field.size == 1 and dice.random() < 0.5:
        field.fleet.start()
    _wait(dice, field.session_seconds + 1, field.session_seconds + 4)
    cut_off.line.mend()


def freeze(field: Field, dice: Random) -> None:
    """SIGSTOP in the middle of a checkpoint; the worker wakes when others have taken over, and stays for a while."""
    field.fleet.settle()
    frozen = field.fleet.any(dice)
    frozen.freeze(dice.choice((WRITING, COMMITTING)))
    if field.size == 1:
        field.fleet.start()
    field.fleet.settle()
    frozen.wake()
    _wait(dice, 0, 4)


FAULTS: dict[str, Callable[[Field, Random], None]] = {
    fault.__name__: fault for fault in (kill, leave_and_join, kill_the_broker, cut_the_line, freeze)
}
# These are about a broker whose process and whose lines are ours.
OF_OUR_BROKER = ("kill_the_broker", "cut_the_line")


def _wait(dice: Random, least: float, most: float) -> None:
    time.sleep(dice.uniform(least, most))
