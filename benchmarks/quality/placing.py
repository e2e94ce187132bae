"""Lays what a tenant is to be planted with into its time and its scopes."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import NamedTuple, cast

from benchmarks.quality import budgets
from benchmarks.quality.arrivals import rate_at
from benchmarks.quality.background import session_blocks
from benchmarks.quality.plantings import Planting
from benchmarks.quality.profiles import HOUR, Profile
from benchmarks.quality.sessions import OUTPUT_SIGMA
from streamer.config import BudgetConfig
from streamer.events.usage import UsageEvent
from streamer.records import AnomalyKind

MINUTE = 60.0
# Before the first planting, and at least between two; seconds.
_LEAD = {"long": 24 * HOUR, "mid": 4 * HOUR, "short": HOUR}
_GAP = {"long": 3 * HOUR, "mid": 2 * HOUR, "short": HOUR * 2 / 3}
_TAIL = 20 * MINUTE
_APART = 30 * MINUTE
# From and to: how long plantings last; drifts by how much history there is.
_SPANS = {
    "burst": (5 * MINUTE, 30 * MINUTE),
    "bloat": (20 * MINUTE, HOUR),
    "mix": (1.5 * HOUR, 3 * HOUR),
    "busywork": (3 * HOUR, 6 * HOUR),
    "silence": (10 * MINUTE, 40 * MINUTE),
    "loop": (3 * MINUTE, 5 * MINUTE),
}
_DRIFTS = {"long": (10 * HOUR, 18 * HOUR), "mid": (6 * HOUR, 10 * HOUR)}
# What mix and busywork change must be there beforehand.
_READY: dict[str, dict[str, float]] = {
    "model": {"dear": 0.05},
    "cache": {"cached": 0.7},
    "evaluation": {"evaluated": 0.1},
    "none": {"outcomes": 0.8},
    "tenth": {"outcomes": 0.8},
}
# A share of a tenant's requests that is enough to be planted in.
_ENOUGH = 0.25
# Once in a million, as a natural logarithm: what is certain is not chance.
_CHANCE = 14.0


class Recipe(NamedTuple):
    """What is to be planted."""

    kind: AnomalyKind
    variant: str
    factor: float

    @classmethod
    def read(cls, text: str) -> "Recipe":
        """Read `kind variant [factor]`."""
        kind, variant, *factor = text.split()
        return cls(cast(AnomalyKind, kind), variant, float(factor[0]) if factor else 1.0)

    def duration(self, random: Random, history: str) -> float:
        """Draw how long it lasts, in seconds; budgets last as long as the data."""
        if self.kind == "budget":
            return 0.0
        low, high = _DRIFTS[history] if self.kind == "drift" else _SPANS[self.kind]
        return random.uniform(low, (low + high) / 2 if history == "short" else high) // 1


def room(durations: Sequence[float], history: str) -> float:
    """Give the seconds that a tenant needs for plantings that last so long."""
    return _LEAD[history] + sum(durations) + _GAP[history] * max(0, len(durations) - 1) + _TAIL


def suits(profile: Profile, recipes: Sequence[Recipe]) -> bool:
    """Tell whether the tenant has the parts that plantings name: where a part falls silent, another must not."""
    parts = {recipe.variant for recipe in recipes if recipe.kind == "silence"}
    use_cases = {stream.use_case for stream in profile.streams}
    return not (("use_case" in parts and len(use_cases) < 2) or ("agent" in parts and len(profile.streams) < 2))


def fits(plantings: Sequence[Planting]) -> bool:
    """Tell whether all last until the best procedure can know them, and end long enough before what is planted next."""
    lasting = all(planting.certain < planting.end for planting in plantings)
    return lasting and all(one.end + _APART <= other.start for one, other in pairwise(plantings))


def shows(plantings: Sequence[Planting], events: Sequence[UsageEvent]) -> bool:
    """Tell whether something is sent in each planting but silences: what nobody sent nobody can find."""
    return all(planting.kind == "silence" or any(map(planting.holds, events)) for planting in plantings)


def placed(
    profile: Profile, recipes: Sequence[Recipe], durations: Sequence[float], history: str, random: Random
) -> tuple[Profile, list[Planting], list[BudgetConfig]]:
    """Place all; gives the tenant made ready for them, the labels, and the tenant's budgets."""
    plantings: list[Planting] = []
    slack = profile.seconds - room(durations, history)
    cuts = sorted(random.uniform(0, slack) for _ in recipes)
    at = profile.begin + _LEAD[history]
    for number, (recipe, duration, cut) in enumerate(zip(recipes, durations, cuts, strict=True)):
        if recipe.kind == "budget":
            return (profile, *budgets.planted(profile, recipe.variant, recipe.factor, random))
        start = at + cut
        # A drift goes on to the end of the data, or its end would be a fall that nothing explains.
        start = max(start, profile.end - duration) if recipe.kind == "drift" else start
        profile, planting = _placed(profile, recipe, (start, start + duration), random, number)
        plantings.append(planting)
        at += duration + _GAP[history]
    return profile, plantings, []


def _placed(
    profile: Profile, recipe: Recipe, span: tuple[float, float], random: Random, number: int
) -> tuple[Profile, Planting]:
    use_case, agent = _scope(profile, recipe, random)
    planting = Planting(*recipe, profile.tenant, *span, use_case, agent)
    if recipe.kind == "drift":
        also: frozenset[AnomalyKind] = frozenset({"bloat"} if recipe.variant == "tokens" else ())
        planting = replace(planting, end=profile.end, also=also)
    elif recipe.kind == "loop":
        planting = _looping(planting, random, number)
    elif recipe.kind == "silence":
        planting = _silent(profile, planting)
    elif recipe.kind == "burst" and recipe.variant == "step":
        planting = replace(planting, certain=_certain(profile, planting, planting.factor))
    elif recipe.kind == "bloat":
        planting = replace(planting, certain=_enlarged(profile, planting))
    ready = _READY.get(recipe.variant, {}) if recipe.kind in ("mix", "busywork") else {}
    return _prepared(profile, planting, ready), planting


def _scope(profile: Profile, recipe: Recipe, random: Random) -> tuple[str, str]:
    if recipe.variant == "tenant":
        return "", ""
    total = sum(stream.requests_per_second for stream in profile.streams)
    large = [stream for stream in profile.streams if stream.requests_per_second >= _ENOUGH * total]
    stream = random.choice(large or [max(profile.streams, key=lambda stream: stream.requests_per_second)])
    agents = sum(other.use_case == stream.use_case for other in profile.streams)
    one_agent = recipe.variant == "agent" or (recipe.kind == "loop" and recipe.variant != "ring")
    whole = recipe.variant in ("use_case", "ring") or recipe.kind == "busywork" or agents == 1
    return stream.use_case, stream.agent if one_agent or (not whole and random.random() < 0.5) else ""


def _looping(planting: Planting, random: Random, number: int) -> Planting:
    marks, at = [], planting.start + 0.5
    for _ in range(random.randint(20, 60)):
        marks.append(round(at, 6))
        at += random.uniform(1, 5)
    return replace(planting, session=f"loop-{number}", marks=tuple(marks), end=marks[-1] + 0.001)


def _certain(profile: Profile, planting: Planting, factor: float) -> float:
    """Give when sessions that come `factor` times as often prove it.

    No procedure that errs once in e ** 14 has a lower mean delay than 14 over the Kullback-Leibler divergence a second
    (Lorden, 1971); between two Poisson rates that is rate * (f ln f - f + 1), fewer by the spread of the gaps.
    """
    streams = [stream for stream in profile.streams if planting.concerns(stream)]
    rate = sum(rate_at(session_blocks(profile, stream), planting.start) for stream in streams)
    divergence = rate * (factor * math.log(factor) - factor + 1 if factor else 1.0)
    return planting.start + _CHANCE * max(1.0, profile.gap_cv**2) / divergence


def _enlarged(profile: Profile, planting: Planting) -> float:
    """Give when requests that are `factor` times as large prove it, by the same bound.

    Between two lognormal laws of one spread s the divergence is (ln f)^2 / 2 s^2: once a session for what goes in, once
    a request for what comes out.
    """
    found = 0.0
    for stream in profile.streams:
        if planting.concerns(stream):
            sessions = rate_at(session_blocks(profile, stream), planting.start)
            found += sessions * (stream.input_sigma**-2 + stream.steps * OUTPUT_SIGMA**-2)
    return planting.start + _CHANCE / (found * math.log(planting.factor) ** 2 / 2)


def _silent(profile: Profile, planting: Planting) -> Planting:
    certain = _certain(profile, planting, 0)
    end = min(max(planting.end, 2 * certain - planting.start), profile.end - _TAIL / 2)
    return replace(planting, certain=certain, end=end)


def _prepared(profile: Profile, planting: Planting, ready: dict[str, float]) -> Profile:
    if not ready:
        return profile
    streams = [
        replace(stream, **ready) if planting.concerns(stream) else stream  # type: ignore[arg-type]
        for stream in profile.streams
    ]
    return replace(profile, streams=tuple(streams))
