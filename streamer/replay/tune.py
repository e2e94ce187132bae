"""`tidegate tune`: thresholds for a budget of false alarms, found by back-testing, and tried on what was held out.

Two things are held out, for settings can fail in two ways: some of the tenants, who tell whether the settings suit
anybody else, and the last of the time, which tells whether they would still suit the same ones next month.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from xxhash import xxh3_64_intdigest

from streamer.config import Config
from streamer.records import AnomalyKind
from streamer.replay.backtest import Backtest, Figures, Judgement, Truth, figures_of, part, said
from streamer.replay.extent import Control
from streamer.replay.feed import Job
from streamer.replay.trial import Side, run_trials
from streamer.whole import whole

#: By kind, the settings that make its detector more or less easily alarmed, each with how much of a factor it takes:
#: times the factor to this power. Larger values are calmer.
KNOBS: Mapping[AnomalyKind, Mapping[str, float]] = {
    "burst": {
        "burst.counts.deviations": 0.5,
        "burst.counts.ratio": 0.5,
        "burst.amounts.deviations": 0.5,
        "burst.amounts.ratio": 0.5,
    },
    "bloat": {"ratio.size": 0.5},
    "mix": {"ratio.price": 0.5, "ratio.uncached": 0.5, "ratio.evaluation": 0.5},
    "drift": {"drift.evidence": 1.0, "drift.share": 0.25},
    "silence": {"silence.expected": 1.0, "silence.margin": 0.5},
    "loop": {"loop.repeats": 0.5},
    "busywork": {"busywork.evidence": 1.0},
}
FACTORS = (0.6, 0.8, 1.0, 1.3, 1.7, 2.4)
# What is held out may find so much less, as a part of all, before it is said that the settings do not carry over.
_WORSE = 0.15
_FEW = 5
_RATIOS = (".ratio", ".size", ".price", ".uncached", ".evaluation", ".share", ".margin")

Choice = Mapping[AnomalyKind, float]


class Aim(NamedTuple):
    """How many false alarms a tenant and day there may be, and what is held out (0 to 1): of tenants, of the time."""

    most_false: float = 0.5
    held_out: float = 0.3
    later: float = 0.3


class Effect(NamedTuple):
    """Figures of one side of the data, by the settings as they were and as they were found."""

    where: str
    before: Figures
    after: Figures


class Tuned(NamedTuple):
    """Settings that were found, with what they do where they were looked for and where they were not."""

    settings: Mapping[str, float | int]
    tried: Effect
    held: Sequence[Effect]

    def warnings(self, most_false: float) -> Iterator[str]:
        """Say what speaks against taking the settings over."""
        sides = [effect.after for effect in (self.tried, *self.held)]
        if (few := min(side.labels for side in sides)) < _FEW:
            yield f"only {few} labels on one side of the split: the figures prove little"
        for where, _, held in self.held:
            yield from self._overfit(where, held, most_false)
        if self.tried.after.false_a_day > most_false:
            yield "no settings that were tried keep to the budget of false alarms; these come nearest"

    def _overfit(self, where: str, held: Figures, most_false: float) -> Iterator[str]:
        tried = self.tried.after
        found, there = tried.recall or 0.0, held.recall or 0.0
        if held.labels and there < found - _WORSE:
            yield f"would overfit: {found:.0%} are found {self.tried.where}, {there:.0%} {where}"
        if held.false_a_day > most_false >= tried.false_a_day:
            yield (
                f"would overfit: {held.false_a_day:.2f} false alarms a tenant-day {where},"
                f" of {most_false:g} that are wanted at most"
            )


def settings_of(config: Config, choice: Choice) -> dict[str, float | int]:
    """Give the settings, by their dotted names below `detect`, that a choice of factors stands for."""
    found: dict[str, float | int] = {}
    for kind, knobs in KNOBS.items():
        for name, power in knobs.items():
            value = _get(config, name)
            scaled = _scaled(name, value, choice.get(kind, 1.0) ** power)
            if scaled != value:
                found[name] = scaled
    return found


def with_settings(config: Config, settings: Mapping[str, float | int]) -> Config:
    """Give a configuration with some settings of `detect` changed; checked like any other."""
    values = config.model_dump()
    for name, value in settings.items():
        *parents, last = name.split(".")
        section = values["detect"]
        for parent in parents:
            section = section[parent]
        section[last] = value
    return Config.model_validate(values)


def tune(job: Job, truth: Truth, aim: Aim, control: Control) -> Tuned:
    """Search the factors of all kinds: as much recall as can be had for so many false alarms a tenant-day.

    One reading tries every factor, on all kinds at once: kinds hardly touch each other, so what each finds at each
    factor is put together into the best choice, which a second reading tries as a whole.
    """

    tests = {factor: Backtest(with_settings(job.config, _all(job.config, factor)), truth) for factor in FACTORS}
    run_trials(job, [test.trial for test in tests.values()], control)
    now = tests[1.0]
    tried, *held = sides_of(now.trial.spans, aim).items()
    choice = best({f: part(test.judged(), tried[1]) for f, test in tests.items()}, now.trial.tenant_days(tried[1]), aim)
    settings = settings_of(job.config, choice)
    then = Backtest(with_settings(job.config, settings), truth)
    run_trials(job, [then.trial], control)

    def effect(where: str, side: Side) -> Effect:
        return Effect(
            where, *(figures_of(part(test.judged(), side), now.trial.tenant_days(side)) for test in (now, then))
        )

    return Tuned(settings, effect(*tried), [effect(*one) for one in held])


def sides_of(spans: Mapping[str, tuple[float, float]], aim: Aim) -> dict[str, Side]:
    """Split the data, of tenants watched from when to when: where it is tuned, and the parts that are held out."""
    # The same tenants in every run, in an order that says nothing of them.
    tenants = sorted(spans, key=lambda tenant: xxh3_64_intdigest(f"held out/{tenant}".encode()))
    others = frozenset(tenants[: int(len(tenants) * aim.held_out)])
    begin, end = (
        min((since for since, _ in spans.values()), default=0.0),
        max((until for _, until in spans.values()), default=0.0),
    )
    kept, cut = frozenset(tenants) - others, end - aim.later * (end - begin)
    sides = {"where it was tuned": Side(kept, until=cut)}
    if others:
        sides["with the tenants held out"] = Side(others)
    if aim.later:
        sides["in the time after"] = Side(kept, since=cut)
    return sides


def best(judged: Mapping[float, Judgement], days: float, aim: Aim) -> dict[AnomalyKind, float]:
    """Choose a factor for each kind: the most labels found within the budget, then the fewest false alarms.

    A label counts as found if an alarm of any kind would have been there.
    """
    kinds = [kind for kind in KNOBS if any(_alarms(judgement, kind) for judgement in judged.values())]
    found = {(kind, f): _found(judgement, kind) for f, judgement in judged.items() for kind in kinds}
    false = {(kind, f): _false(judgement, kind) for f, judgement in judged.items() for kind in kinds}
    calmest: tuple[Any, ...] | None = None
    chosen: dict[AnomalyKind, float] = {}
    for factors in product(*(_choices(kind, found, false) for kind in kinds)):
        pairs = list(zip(kinds, factors, strict=True))
        wrong = sum(false[pair] for pair in pairs)
        right = len(set().union(*(found[pair] for pair in pairs)))
        over = max(0.0, wrong - aim.most_false * days)
        # The nearer to what is set already the better, where nothing else speaks for either.
        rank = (over, -right, wrong, sum(abs(factor - 1.0) for factor in factors))
        if calmest is None or rank < calmest:
            calmest, chosen = rank, dict(pairs)
    return chosen


def _choices(kind: AnomalyKind, found: Mapping[Any, set[int]], false: Mapping[Any, int]) -> list[float]:
    """Leave out the factors that another one of the same kind beats in both respects."""
    kept: list[float] = []
    for factor in sorted(FACTORS, key=lambda factor: abs(factor - 1.0)):
        mine = found[kind, factor], false[kind, factor]
        if not any(found[kind, other] >= mine[0] and false[kind, other] <= mine[1] for other in kept):
            kept.append(factor)
    return kept


def text_of(tuned: Tuned, most_false: float) -> str:
    """Write the settings as TOML, with what is to be expected of them."""
    lines = [f"# Found by `tidegate tune`: at most {most_false:g} false alarms a tenant-day."]
    for where, _, after in (tuned.tried, *tuned.held):
        lines += [f"# Expected, {where}:", *(f"#   {line}" for line in said(after))]
    lines += [f"# Beware: {warning}." for warning in tuned.warnings(most_false)]
    sections: dict[str, list[str]] = {}
    for name, value in sorted(tuned.settings.items()):
        section, _, key = name.rpartition(".")
        sections.setdefault(section, []).append(f"{key} = {value!r}")
    for section, keys in sections.items():
        lines += ["", f"[detect.{section}]", *keys]
    return "\n".join(lines) + "\n"


def run(job: Job, truth: Truth, aim: Aim, out: Path, control: Control) -> Iterator[str]:
    """Tune, write the settings to `out`, and say what is to be expected of them."""
    with whole(out) as part:
        tuned = tune(job, truth, aim, control)
        part.write_text(text_of(tuned, aim.most_false), encoding="utf-8")
    for where, before, after in (tuned.tried, *tuned.held):
        false = f"false alarms a tenant-day {before.false_a_day:.2f} -> {after.false_a_day:.2f}"
        yield f"{where}: recall {_share(before)} -> {_share(after)}, {false}"
    yield from (f"beware: {warning}" for warning in tuned.warnings(aim.most_false))
    yield f"{len(tuned.settings)} settings changed; written to {out}"


def _all(config: Config, factor: float) -> dict[str, float | int]:
    return settings_of(config, dict.fromkeys(KNOBS, factor))


def _scaled(name: str, value: float, factor: float) -> float | int:
    if isinstance(value, int):
        return max(2, round(value * factor))
    # A ratio of 1 is no change at all: what is scaled is how far it lies above that.
    scaled = 1 + (value - 1) * factor if name.endswith(_RATIOS) else value * factor
    return float(f"{scaled:.4g}")


def _get(config: Config, name: str) -> float | int:
    found: Any = config.detect
    for key in name.split("."):
        found = getattr(found, key)
    return found  # type: ignore[no-any-return]


def _alarms(judgement: Judgement, kind: AnomalyKind) -> bool:
    return bool(_found(judgement, kind) or _false(judgement, kind))


def _found(judgement: Judgement, kind: AnomalyKind) -> set[int]:
    return {
        place for place, outcome in enumerate(judgement.outcomes) if any(alarm.kind == kind for alarm in outcome.alarms)
    }


def _false(judgement: Judgement, kind: AnomalyKind) -> int:
    return sum(case.kind == kind for case in judgement.false)


def _share(figures: Figures) -> str:
    return "-" if figures.recall is None else f"{figures.recall:.0%}"
