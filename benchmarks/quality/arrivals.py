"""When sessions begin: seasons, minutes-long wobbles, and gaps that vary as real clients' do."""

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from benchmarks.quality.profiles import DAY, HOUR, Profile

# Of the rates of production clients, seconds.
STEP = 600.0
_WOBBLE_SECONDS = 300.0
# How much of a wobble is left after five minutes.
_MEMORY = 0.9
_FINE = 30.0


class Block(NamedTuple):
    """A span (epoch seconds) with one rate (arrivals a second) and one coefficient of variation of the gaps."""

    start: float
    end: float
    rate: float
    cv: float


def blocks_of(profile: Profile, name: str, rate: float) -> list[Block]:
    """Give the blocks of one stream, `name`, whose mean rate is `rate`."""
    random = Random(f"{profile.seed}/{name}/rate")
    if profile.trace:
        return list(_traced(profile, rate))
    level, found, at = random.gauss(0, profile.wobble), [], profile.begin
    while at < profile.end:
        factor = math.exp(level - profile.wobble**2 / 2) * season(profile, at)
        found.append(Block(at, min(at + _WOBBLE_SECONDS, profile.end), rate * factor, profile.gap_cv))
        level = _MEMORY * level + math.sqrt(1 - _MEMORY**2) * random.gauss(0, profile.wobble)
        at += _WOBBLE_SECONDS
    return found


def season(profile: Profile, at: float) -> float:
    """Give the factor of the hour of the day and the day of the week."""
    day = 1 + profile.swing * math.sin(2 * math.pi * (at / DAY - profile.phase))
    # Weekends come and go within six hours.
    around = [at + half_hours * HOUR / 2 for half_hours in range(-6, 7)]
    share = sum((moment // DAY + 3) % 7 >= 5 for moment in around) / len(around)
    return day * (1 - share * (1 - profile.weekend))


def rate_at(blocks: Sequence[Block], at: float) -> float:
    """Give the rate at a time; 0 outside all blocks."""
    return next((block.rate for block in blocks if block.start <= at < block.end), 0.0)


def arrivals(random: Random, blocks: Iterable[Block]) -> Iterator[float]:
    """Give the times of arrivals: gamma gaps of the block's own spread, laid along its rate."""
    left: float | None = None
    for block in blocks:
        at = block.start
        left = _gap(random, block.cv) if left is None else left
        while block.rate > 0 and left <= (block.end - at) * block.rate:
            at += left / block.rate
            yield at
            left = _gap(random, block.cv)
        left -= (block.end - at) * block.rate


def sliced(blocks: Sequence[Block], start: float, end: float) -> Iterator[Block]:
    """Cut what lies between `start` and `end` into spans of half a minute or less."""
    for block in blocks:
        at = max(start, block.start)
        while at < min(end, block.end):
            until = min(at + _FINE, end, block.end)
            yield Block(at, until, block.rate, block.cv)
            at = until


def client_rates(path: Path, count: int, random: Random, thinned_to: float) -> tuple[tuple[float, float], ...] | None:
    """Read `count` steps of 600 s of one production client (ServeGen), from a random one on; None if it pauses there.

    Rates are given as shares of the client's mean there, which is thinned to `thinned_to` a second. Thinning a renewal
    process to a share p turns a squared coefficient of variation c into p * c + 1 - p.
    """
    with path.open(newline="") as lines:
        rows = [(float(row["requests_per_second"]), float(row["cv"])) for row in csv.DictReader(lines)]
    first = random.randrange(len(rows) - count)
    rows = rows[first : first + count]
    mean = sum(rate for rate, _ in rows) / count
    if min(rate for rate, _ in rows) <= mean / 50:
        return None
    share = min(1.0, thinned_to / mean)
    return tuple((rate / mean, math.sqrt(share * cv**2 + 1 - share)) for rate, cv in rows)


def _traced(profile: Profile, rate: float) -> Iterator[Block]:
    for number, (factor, cv) in enumerate(profile.trace):
        start = profile.begin + number * STEP
        yield Block(start, start + STEP, rate * factor, cv)


def _gap(random: Random, cv: float) -> float:
    shape = max(cv, 0.05) ** -2
    return random.gammavariate(shape, 1 / shape)
