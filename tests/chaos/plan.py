"""Which faults strike, in which order: all of it follows from the seed, so that a run that failed can be run again."""

import os
import time
from collections.abc import Collection, Iterator
from random import Random
from typing import NamedTuple

from tests.chaos.faults import OF_OUR_BROKER

SEED, LONG = "TIDEGATE_TEST_CHAOS_SEED", "TIDEGATE_TEST_CHAOS_LONG"
_SHORT_RUN = {"kill": 2, "leave_and_join": 1, "kill_the_broker": 1, "cut_the_line": 1, "freeze": 1}
_PLANTINGS = 15
_LONG_RUN = {"kill": 24, "leave_and_join": 5, "kill_the_broker": 4, "cut_the_line": 5, "freeze": 6}


class Step(NamedTuple):
    """A fault, what it does with chance, and whether the next one waits until the group is whole again.

    `plant`: anomalies begin with it; not with each one of a long run, for they go on until its end.
    """

    fault: str
    dice: Random
    settle: bool
    plant: bool


class Plan:
    """The faults of one run, without those in `without`."""

    def __init__(self, seed: str, long: bool, without: Collection[str] = ()) -> None:
        counts = _LONG_RUN if long else _SHORT_RUN
        self.seed, self._dice = seed, Random(seed)
        self.faults = [fault for fault, times in counts.items() if fault not in without for _ in range(times)]
        self._dice.shuffle(self.faults)

    def __iter__(self) -> Iterator[Step]:
        every = max(1, len(self.faults) // _PLANTINGS)
        for number, fault in enumerate(self.faults):
            dice = Random(f"{self.seed}/{number}")
            yield Step(fault, dice, settle=dice.random() < 0.6, plant=number % every == 0)


def plan_of(workers: int, ours: bool) -> Plan:
    """Make the plan that the environment asks for: short and of a new seed, if it says nothing."""
    seed = os.environ.get(SEED) or str(time.time_ns() % 1_000_000)
    without = () if ours else OF_OUR_BROKER
    return Plan(f"{seed}/{workers}", bool(os.environ.get(LONG)), without)
