"""`tidegate tune`: thresholds for a budget of false alarms, found by back-testing, and tried on what was held out."""

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from xxhash import xxh3_64_intdigest

from streamer.config import Config
from streamer.records import AnomalyKind
from streamer.replay.backtest import Backtest, Figures, Judgement, Truth, figures_of, part, said
from streamer.replay.extent import Control
from streamer.replay.feed import Job
from streamer.replay.trial import run_trials

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
    """How many false alarms a tenant and day there may be, and which share (0 to 1) of the tenants is held out."""

    most_false: float = 0.5
    held_out: float = 0.3


class Tuned(NamedTuple):
    """Settings that were found, with their figures where they were looked for and where they were not."""

    choice: Choice
    settings: Mapping[str, float | int]
    tried: Figures
    held_out: Figures
    before_tried: Figures
    before_held_out: Figures

    def warnings(self, most_false: float) -> Iterator[str]:
        """Say what speaks against taking the settings over."""
        few = min(self.tried.labels, self.held_out.labels)
        if few < _FEW:
            yield f"only {few} labels on one side of the split: the figures prove little"
        tried, held = self.tried.recall or 0.0, self.held_out.recall or 0.0
        if self.held_out.labels and held < tried - _WORSE:
            yield f"would overfit: {tried:.0%} are found where it was tuned, {held:.0%} where it was not"
        if self.held_out.false_a_day > most_false >= self.tried.false_a_day:
            yield (
                f"would overfit: {self.held_out.false_a_day:.2f} false alarms a tenant-day where it was not tuned,"
                f" of {most_false:g} that are wanted at most"
            )
        if self.tried.false_a_day > most_false:
            yield "no settings that were tried keep to the budget of false alarms; these come nearest"


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

    def tried(tenant: str) -> bool:
        return not is_held_out(tenant, aim.held_out)

    def held(tenant: str) -> bool:
        return is_held_out(tenant, aim.held_out)

    tests = {factor: Backtest(with_settings(job.config, _all(job.config, factor)), truth) for factor in FACTORS}
    run_trials(job, [test.trial for test in tests.values()], control)
    judged = {factor: part(test.judged(), tried) for factor, test in tests.items()}
    days = tests[1.0].trial.tenant_days(tried)
    choice = best(judged, days, aim.most_false)
    settings = settings_of(job.config, choice)
    last = Backtest(with_settings(job.config, settings), truth)
    run_trials(job, [last.trial], control)
    held_days = tests[1.0].trial.tenant_days(held)
    judgement, before = last.judged(), tests[1.0].judged()
    return Tuned(
        choice,
        settings,
        figures_of(part(judgement, tried), days),
        figures_of(part(judgement, held), held_days),
        figures_of(part(before, tried), days),
        figures_of(part(before, held), held_days),
    )


def is_held_out(tenant: str, share: float) -> bool:
    """Tell whether a tenant takes no part in the search; the same in every run."""
    return (xxh3_64_intdigest(f"held out/{tenant}".encode()) >> 11) / (1 << 53) < share


def best(judged: Mapping[float, Judgement], days: float, most_false: float) -> dict[AnomalyKind, float]:
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
        over = max(0.0, wrong - most_false * days)
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
    for title, figures in (("where it was tuned", tuned.tried), ("held out", tuned.held_out)):
        lines += [f"# Expected, {title}:", *(f"#   {line}" for line in said(figures))]
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
    tuned = tune(job, truth, aim, control)
    out.write_text(text_of(tuned, aim.most_false), encoding="utf-8")
    tried = "where it was tuned", tuned.before_tried, tuned.tried
    for title, before, after in (tried, ("held out", tuned.before_held_out, tuned.held_out)):
        false = f"false alarms a tenant-day {before.false_a_day:.2f} -> {after.false_a_day:.2f}"
        yield f"{title}: recall {_share(before)} -> {_share(after)}, {false}"
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
