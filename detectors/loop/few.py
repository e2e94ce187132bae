"""Calls of a few kinds that come back again and again: what their order says."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from detectors.loop.params import LoopParams

# Of calls of one tool so many have to come back after another one; jobs that are polled one after the other do not.
_RETURNS = 2


class Few(NamedTuple):
    """How many of the last calls are of a few kinds, of how many, and in a cycle of how many (0: in no order)."""

    calls: int
    kinds: int
    cycle: int = 0


def few(names: Sequence[int], streak: int, params: LoopParams) -> Few | None:
    """Look at the identities of calls, oldest first; the last `streak` of them are of one tool."""
    last, one_tool = names[-params.window :], streak >= params.window - 1
    if one_tool and params.repeats - 1 <= last.count(last[-1]) < len(last):
        return _varied(names, min(len(last), streak))
    if len(last) < params.window or len(set(last)) > params.longest_cycle:
        return None
    if _moved_on(last) or not _comes_back(last, one_tool):
        return None
    cycle = next((cycle for cycle in range(2, params.longest_cycle + 1) if last[cycle:] == last[:-cycle]), 0)
    return _circled(names, cycle) if cycle else _varied(names, params.window)


def _circled(names: Sequence[int], cycle: int) -> Few:
    calls = cycle
    while calls < len(names) and names[-1 - calls] == names[cycle - 1 - calls]:
        calls += 1
    return Few(calls, cycle, cycle)


def _varied(names: Sequence[int], calls: int) -> Few:
    kinds = set(names[-calls:])
    while calls < len(names) and names[-1 - calls] in kinds:
        calls += 1
    return Few(calls, len(kinds))


def _moved_on(names: Sequence[int]) -> bool:
    """Whether from some place on no name comes that came before it: one thing was done after another."""
    last, reach = {name: place for place, name in enumerate(names)}, 0
    for place, name in enumerate(names[:-1]):
        reach = max(reach, last[name])
        if reach == place:
            return True
    return False


def _comes_back(names: Sequence[int], one_tool: bool) -> bool:
    """Whether each name comes back after another one; of one tool's calls it is enough that two do."""
    runs = Counter([name for name, _ in groupby(names)])
    return min(runs.values()) > 1 or (one_tool and runs.total() - len(runs) >= _RETURNS)
