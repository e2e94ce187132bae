"""`tidegate compare`: what would be otherwise with another configuration."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from alerts.text import money, plain
from streamer.pricing.money import added, less
from streamer.records import Anomaly
from streamer.replay.extent import Control
from streamer.replay.facts import Facts, Found
from streamer.replay.feed import Job
from streamer.replay.report import figures
from streamer.replay.report.page import render
from streamer.replay.trial import Trial, run_trials
from streamer.whole import folder, whole

# Cases of the same thing that begin within an hour of each other are the same case, found sooner or later.
_SAME = 3600.0
_MOST_LINES = 20


class Pair(NamedTuple):
    """The same case with two configurations; `seconds` is how much later the second one knows of it."""

    before: Found
    after: Found
    seconds: float


class Sums(NamedTuple):
    """What a configuration comes to. `caught` are dollars above normal that came after it was known: what could have
    been saved at once; `missed` those before that."""

    anomalies: int
    incidents: int
    messages: int
    commands: int
    above: Decimal
    caught: Decimal
    missed: Decimal


class Difference(NamedTuple):
    """What the second configuration makes of the data that the first one does not, and the other way round."""

    before: Sums
    after: Sums
    gained: list[Found]
    lost: list[Found]
    earlier: list[Pair]
    later: list[Pair]
    same: int


def run(job: Job, configs: Sequence[tuple[str, Any]], out: Path, control: Control) -> Iterator[str]:
    """Try the configurations (name and Config), each against the first; writes `compare.json` and `compare.html`."""
    trials, names = [Trial(config) for _, config in configs], [name for name, _ in configs]
    with folder(out), whole(out / "compare.json") as lines, whole(out / "compare.html") as page:
        faults = run_trials(job, trials, control)
        others = zip(names[1:], trials[1:], strict=True)
        found = [(name, difference(trials[0].facts, trial.facts)) for name, trial in others]
        records = [{"before": names[0], "after": name, **_record(difference)} for name, difference in found]
        lines.write_bytes(msgspec.json.format(msgspec.json.encode(records)) + b"\n")
        page.write_bytes(render("compare.html.j2", {"base": names[0], "found": found, "facts": trials[0].facts}))
    yield from faults.lines()
    for name, difference_ in found:
        yield from _said(names[0], name, difference_)
    yield f"written to {out}"


def difference(before: Facts, after: Facts) -> Difference:
    """Hold the anomalies of two configurations against each other."""
    pairs, lost, gained = _paired(before.in_order(), after.in_order())
    return Difference(
        sums(before),
        sums(after),
        gained,
        lost,
        [pair for pair in pairs if pair.seconds < 0],
        [pair for pair in pairs if pair.seconds > 0],
        sum(pair.seconds == 0 for pair in pairs),
    )


def sums(facts: Facts) -> Sums:
    """Sum up what a configuration comes to."""
    savings = figures.savings(facts)
    above, caught = added(s.above for s in savings), added(s.after for s in savings)
    counts = len(facts.anomalies), len(facts.incidents), facts.messages, len(facts.commands)
    return Sums(*counts, above, caught, less(above, caught))


def _paired(before: list[Found], after: list[Found]) -> tuple[list[Pair], list[Found], list[Found]]:
    """Find for each case the one of the other configuration that is the same: of the same series, else of its kind.

    Those that are nearest to each other come together first, so that it is the same pairs whichever way one looks.
    """
    others: dict[tuple[str, str], list[Found]] = defaultdict(list)
    for found in after:
        others[found.last.tenant, found.last.kind].append(found)
    near = [(a, b) for a in before for b in others[a.last.tenant, a.last.kind] if _is_same(a, b)]
    left = {found.last.id: found for found in before}
    right = {found.last.id: found for found in after}
    pairs = []
    for a, b in sorted(near, key=_distance):
        if a.last.id in left and b.last.id in right:
            del left[a.last.id], right[b.last.id]
            pairs.append(Pair(a, b, (b.last.opened_at - a.last.opened_at).total_seconds()))
    pairs.sort(key=lambda pair: (pair.before.last.opened_at, pair.before.last.id))
    return pairs, list(left.values()), list(right.values())


def _distance(pair: tuple[Found, Found]) -> tuple[bool, float, list[str]]:
    one, other = pair
    apart = abs((one.last.opened_at - other.last.opened_at).total_seconds())
    return one.last.series != other.last.series, apart, sorted((one.last.id, other.last.id))


def _is_same(one: Found, other: Found) -> bool:
    a, b = one.last, other.last
    if a.series != b.series and a.kind == "loop":
        return False
    return _overlap(a, b) or abs((a.opened_at - b.opened_at).total_seconds()) <= _SAME


def _overlap(a: Anomaly, b: Anomaly) -> bool:
    def until(case: Anomaly) -> datetime:
        return case.closed_at or case.updated_at

    return a.opened_at <= until(b) and b.opened_at <= until(a)


def _record(found: Difference) -> dict[str, Any]:
    return {
        "sums": {"before": found.before._asdict(), "after": found.after._asdict()},
        "gained": [_case(one) for one in found.gained],
        "lost": [_case(one) for one in found.lost],
        "earlier": [{**_case(pair.after), "seconds": -pair.seconds} for pair in found.earlier],
        "later": [{**_case(pair.after), "seconds": pair.seconds} for pair in found.later],
        "same": found.same,
    }


def _case(found: Found) -> dict[str, Any]:
    names = ("id", "kind", "tenant", "series", "opened_at", "closed_at", "severity", "usd_excess", "reason")
    return {name: getattr(found.last, name) for name in names}


def _said(base: str, name: str, found: Difference) -> Iterator[str]:
    before, after = found.before, found.after
    yield f"{name} against {base}:"
    yield f"  anomalies   {before.anomalies} -> {after.anomalies}"
    yield f"  incidents   {before.incidents} -> {after.incidents}"
    yield f"  messages    {before.messages} -> {after.messages}"
    yield f"  commands    {before.commands} -> {after.commands}"
    yield f"  caught      {money(before.caught)} -> {money(after.caught)} (above normal, after it was known)"
    yield f"  gained {len(found.gained)}, lost {len(found.lost)}"
    yield f"  earlier {len(found.earlier)}, later {len(found.later)}, the same {found.same}"
    lines = [*(("gained", one) for one in found.gained), *(("lost", one) for one in found.lost)]
    for word, one in lines[:_MOST_LINES]:
        at, series = f"{one.last.opened_at:%Y-%m-%d %H:%M:%S}", plain(one.last.series)
        yield f"  {word} {at} {one.last.kind} {series}: {plain(one.first.reason)}"
    if len(lines) > _MOST_LINES:
        yield f"  and {len(lines) - _MOST_LINES} more"
