"""Draws what was planted, how it shows, and when it was told: `make quality-pictures`.

Which tenants are drawn is fixed, and they are of a tune seed; whether an alarm came, when, and what it said are as they
come out of the run that draws them. Of each kind the first tenant is drawn that was told of by the right name.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import click

from benchmarks.quality import canvas, kept, nab, nab_picture
from benchmarks.quality.canvas import HOURS, Panel, Span
from benchmarks.quality.curves import Seen, binned, seen
from benchmarks.quality.drive import WindowTotals
from benchmarks.quality.judge import Verdict, opened
from benchmarks.quality.profiles import HOUR
from benchmarks.quality.scenarios import scenarios
from benchmarks.quality.tables import part_of
from streamer.records import AnomalyKind, Scope
from streamer.windows.entity import Entity

_SEED = 1
_CANDIDATES: Mapping[AnomalyKind, Sequence[str]] = {
    "burst": ("1-26-short-large", "1-32-short-medium", "1-25-short-large", "1-33-short-medium"),
    "loop": ("1-37-short-medium", "1-33-short-medium"),
    "drift": ("1-09-mid-medium", "1-01-long-small", "1-08-mid-medium", "1-11-mid-medium"),
    "bloat": ("1-25-short-large", "1-32-short-medium", "1-35-short-medium"),
    "mix": ("1-28-short-large", "1-39-short-medium", "1-37-short-medium"),
    "silence": ("1-26-short-large", "1-41-short-medium"),
}
# In windows.
_MINUTE = 6
# Where something is missed that shows, if it is.
_MISSED = ("1-24-short-large", "1-30-short-medium", "1-36-short-medium", "1-10-mid-medium")
# Hours shown before and after a planting.
_AROUND: Mapping[AnomalyKind, tuple[float, float]] = {
    "burst": (2 / 3, 1 / 3),
    "drift": (24.0, 0.0),
    "bloat": (1.0, 0.5),
    "mix": (1.5, 0.5),
    "silence": (1.0, 0.5),
}
_BINS: Mapping[AnomalyKind, float] = {"burst": 60.0, "drift": 1800.0, "bloat": 120.0, "mix": 300.0, "silence": 60.0}
_WORDS: Mapping[AnomalyKind, str] = {
    "burst": "A burst",
    "loop": "A loop",
    "drift": "A drift",
    "bloat": "Bloat",
    "mix": "A shift of the mix",
    "silence": "Silence",
}


class Drawn(NamedTuple):
    """A verdict, with all that there is to draw of its tenant."""

    seen: Seen
    verdict: Verdict


class Picture(NamedTuple):
    """A file that was drawn, and what it shows in words."""

    file: str
    caption: str


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def main(folder: Path) -> None:
    """Draw all pictures into FOLDER, and keep their captions in build/quality.json."""
    folder.mkdir(parents=True, exist_ok=True)
    found = [picture._asdict() for picture in draw(folder)]
    kept.keep("pictures", found)
    for picture in found:
        click.echo(f"{picture['file']}: {picture['caption']}")


def draw(folder: Path) -> list[Picture]:
    """Draw into `folder`; gives what was drawn."""
    found = [_draw(folder, kind, told) for kind in _CANDIDATES if (told := _first(_CANDIDATES[kind], kind, _is_told))]
    if missed := _first(_MISSED, None, lambda verdict: not verdict.found):
        found.append(_draw(folder, "missed", missed))
    threshold = kept.read().get("nab", {}).get("threshold")
    if threshold is not None and nab.DATA.is_dir():
        found.append(Picture("nab.png", nab_picture.draw(folder / "nab.png", nab.DATA, threshold)))
    return found


def _is_told(verdict: Verdict) -> bool:
    return verdict.found and verdict.kind_right


def _first(tenants: Sequence[str], kind: AnomalyKind | None, wanted: Callable[[Verdict], bool]) -> Drawn | None:
    for tenant in tenants:
        run = _seen(tenant)
        for verdict in run.judgement.verdicts:
            if (kind is None or verdict.planting.kind == kind) and wanted(verdict):
                return Drawn(run, verdict)
    return None


@lru_cache(maxsize=2)
def _seen(tenant: str) -> Seen:
    return seen(next(scenario for scenario in scenarios(_SEED, first=False) if scenario.tenant == tenant))


def _draw(folder: Path, name: str, drawn: Drawn) -> Picture:
    planting = drawn.verdict.planting
    rate = planting.kind == "burst" and not (drawn.verdict.found and drawn.verdict.alarms[0].kind != "burst")
    panels = _loop(drawn) if planting.kind == "loop" else [_rate(drawn) if rate else _series(drawn)]
    canvas.draw(folder / f"{name}.png", _title(drawn), _subtitle(drawn), panels)
    return Picture(f"{name}.png", f"{_title(drawn)}. {_subtitle(drawn)}.")


def _title(drawn: Drawn) -> str:
    planting = drawn.verdict.planting
    where = f"{_part(drawn)} of " if planting.use_case else ""
    return f"{_WORDS[planting.kind]} ({planting.strength}) planted in {where}tenant {planting.tenant}"


def _part(drawn: Drawn) -> str:
    planting = drawn.verdict.planting
    return part_of(Scope(planting.use_case, planting.agent))


def _subtitle(drawn: Drawn) -> str:
    verdict = drawn.verdict
    if not verdict.found:
        return "Missed: nothing was told"
    first = verdict.alarms[0]
    delay = f"{verdict.delay:.0f} s" if verdict.delay < 600 else f"{verdict.delay / 60:.0f} min"
    return f"Told after {delay} as {first.kind}: {first.reason}"


def _around(drawn: Drawn) -> tuple[float, float]:
    """Give from when to when a picture shows its tenant, epoch seconds."""
    planting, scenario = drawn.verdict.planting, drawn.seen.scenario
    before, after = _AROUND[planting.kind]
    return max(scenario.begin, planting.start - before * HOUR), min(scenario.end, planting.end + after * HOUR)


def _hours(drawn: Drawn, at: float) -> float:
    return (at - drawn.seen.scenario.begin) / HOUR


def _panel(drawn: Drawn, label: str) -> Panel:
    """Give a panel with what was planted and told, and no curve yet."""
    planting, (since, until), hours = drawn.verdict.planting, _around(drawn), partial(_hours, drawn)
    told = [(hours(opened(alarm)), alarm.kind) for alarm in drawn.verdict.alarms]
    named = {alarm.id for alarm in drawn.verdict.alarms}
    others = [hours(opened(a)) for a in drawn.seen.opened if a.id not in named and since <= opened(a) <= until]
    span = Span(hours(planting.start), hours(planting.end))
    return Panel(label, HOURS, (hours(since), hours(until)), span, told=told, others=others)


def _series(drawn: Drawn) -> Panel:
    """Give the series in which a planting shows, in bins."""
    planting, (since, until) = drawn.verdict.planting, _around(drawn)
    seconds = _BINS[planting.kind]
    value, label = _measure_of(drawn)
    scope = Scope(use_case=planting.use_case, agent=planting.agent)
    begin = since // seconds * seconds
    bins = list(binned(drawn.seen.windows[scope], begin, until, seconds))
    panel = _panel(drawn, label.format(f"{seconds / 60:g} min" if seconds > 60 else "minute"))
    middles = [_hours(drawn, window.start + seconds / 2) for window in bins]
    return panel.with_line(_part(drawn), middles, [value(window) for window in bins])


def _measure_of(drawn: Drawn) -> tuple[Callable[[WindowTotals], float], str]:
    planting = drawn.verdict.planting
    if planting.kind == "mix":
        return _usd_a_token, "dollars a million\ntokens, by {}"
    if planting.variant == "tokens":
        return _tokens_a_request, "tokens a request,\nby {}"
    return lambda window: float(window.requests), "requests\nin a {}" if planting.kind != "drift" else "requests in {}"


def _tokens_a_request(window: WindowTotals) -> float:
    return window.tokens / window.requests if window.requests else float("nan")


def _usd_a_token(window: WindowTotals) -> float:
    return window.usd / window.tokens * 1e6 if window.tokens else float("nan")


def _rate(drawn: Drawn) -> Panel:
    """Give the rate that a burst was found in (where it was not, its requests), what was expected, and the ceiling."""
    planting, (since, until) = drawn.verdict.planting, _around(drawn)
    entity = Entity("agent" if planting.agent else "use_case", planting.use_case, planting.agent)
    series, alarms = f"{entity.key(planting.tenant)}#requests", drawn.verdict.alarms
    found = drawn.seen.found_in(alarms[0]) if alarms else None
    # Sessions that begin have no baseline of their own: their requests are drawn.
    curve = found if found and found.points else drawn.seen.curve(series, _MINUTE)
    points = [point for point in curve.whole(drawn.seen.tracer.size) if since <= point.end <= until]
    times = [_hours(drawn, point.end) for point in points]
    metric = curve.series.rpartition("#")[2].replace("_", " ")
    panel = _panel(drawn, f"{metric}\nin {curve.seconds:g} s")
    return (
        panel.with_line(_part(drawn), times, [point.value for point in points])
        .with_line("ceiling", times, [point.ceiling for point in points], "ceiling")
        .with_line("expected", times, [point.expected for point in points], "expected")
    )


def _loop(drawn: Drawn) -> list[Panel]:
    """Give the loop's calls, one by one, over the requests of all that its agent does."""
    planting, begin = drawn.verdict.planting, drawn.verdict.planting.marks[0]
    told = [((opened(alarm) - begin) / 60, alarm.kind) for alarm in drawn.verdict.alarms]
    span = Span(0.0, (planting.end - begin) / 60)
    shown = (-6.0, span.end + 3)
    scope = Scope(use_case=planting.use_case, agent=planting.agent)
    bins = list(binned(drawn.seen.windows[scope], begin + shown[0] * 60, begin + shown[1] * 60, 30.0))
    minutes, requests = [(w.start + 15 - begin) / 60 for w in bins], [float(w.requests) for w in bins]
    marks = [(mark - begin) / 60 for mark in planting.marks]
    words = "minutes from the loop's first call"
    whole = Panel("requests of all\nsessions in 30 s", words, shown, span, told=told)
    calls = Panel("calls of the loop", words, shown, span, told=told)
    return [
        whole.with_line("all sessions", minutes, requests),
        calls.with_line("calls", marks, [float(n) for n in range(1, len(marks) + 1)], "steps"),
    ]


if __name__ == "__main__":
    main()
