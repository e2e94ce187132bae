"""What pictures show of a scenario: its windows, what became of its plantings, and the rates that judges looked at."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmarks.quality.drive import Recorder, WindowTotals, run_through
from benchmarks.quality.judge import Judgement, judged
from benchmarks.quality.scenarios import Scenario
from streamer.config import Config
from streamer.judges.slots import NOTHING, Values
from streamer.pipeline import Output
from streamer.records import Anomaly, Rollup, Scope
from streamer.windows.entity import Entity
from streamer.windows.totals import METRICS


class Point(NamedTuple):
    """A rate over one horizon once a window has closed at `end`, and the expected value and ceiling from then on."""

    end: float
    value: float
    expected: float
    ceiling: float


class Curve(NamedTuple):
    """The rate of one series over a horizon of so many seconds."""

    series: str
    seconds: float
    points: Sequence[Point]

    def whole(self, size: float) -> Iterator[Point]:
        """Give the points, and between them that nothing was there; only windows that hold something have points."""
        last: Point | None = None
        for point in self.points:
            if last and point.end - last.end > self.seconds + size:
                yield last._replace(end=last.end + self.seconds, value=0.0)
                yield last._replace(end=point.end - size, value=0.0)
            yield point
            last = point


class Tracer(Recorder):
    """A Recorder that also keeps what the rate baselines of one tenant said at each turn."""

    def __init__(self, config: Config, tenant: str, sessions: Sequence[str]) -> None:
        super().__init__(config, sessions)
        self._tenant = tenant
        #: Of a window, in seconds.
        self.size = config.windows.size_seconds
        #: By series and the number of windows of the horizon.
        self.points: dict[tuple[str, int], list[Point]] = defaultdict(list)
        #: The horizon over which a burst was found, in windows, by the anomaly's id.
        self.found_over: dict[str, int] = {}

    def _kept(self, output: Output, seconds: float) -> bool:
        closed = super()._kept(output, seconds)
        self._note(output.anomalies)
        for rollup in output.rollups:
            if rollup.level in ("tenant", "use_case", "agent"):
                self._trace(rollup)
        return closed

    def _note(self, anomalies: Sequence[Anomaly]) -> None:
        standing = self._meters[self._tenant]._watch._book.standing if self._meters else {}
        for case in anomalies:
            if case.state == "opened" and case.series in standing:
                self.found_over[case.id] = standing[case.series].windows

    def _trace(self, rollup: Rollup) -> None:
        scope = rollup.scope
        models = self._meters[self._tenant]._watch._registry.get(Entity(rollup.level, scope.use_case, scope.agent))  # type: ignore[arg-type]
        number = round(rollup.start.timestamp() / self.size)
        if models is None or models.horizons.last != number:
            return
        for place, horizon in enumerate(models.horizons.horizons):
            # What longer horizons hold has been learned already; a single window is as its rollup says.
            sums = models.horizons.sums(place, number, NOTHING if place else _values(rollup))
            for metric, value in zip(METRICS, sums, strict=True):
                usual = models.horizons.baselines[place].get(metric)
                expected, ceiling = (usual.expected, usual.ceiling) if usual else (0.0, math.inf)
                point = Point(rollup.end.timestamp(), value, expected, ceiling)
                self.points[f"{rollup.series}#{metric}", horizon.windows].append(point)


def _values(rollup: Rollup) -> Values:
    """Give what a window held, in the order of METRICS."""
    tokens = rollup.input_tokens + rollup.output_tokens
    return float(tokens), float(rollup.steps), float(rollup.tool_calls), float(rollup.requests), float(rollup.usd)


class Seen(NamedTuple):
    """A scenario that was run."""

    scenario: Scenario
    judgement: Judgement
    opened: Sequence[Anomaly]
    windows: dict[Scope, list[WindowTotals]]
    tracer: Tracer

    def found_in(self, alarm: Anomaly) -> Curve:
        """Give the rate that a burst was found in, over the horizon in which it was."""
        return self.curve(alarm.series, self.tracer.found_over.get(alarm.id, 1))

    def curve(self, series: str, windows: int) -> Curve:
        """Give the rate of a series over so many windows."""
        return Curve(series, windows * self.tracer.size, self.tracer.points[series, windows])


def seen(scenario: Scenario) -> Seen:
    """Run one scenario and keep what can be drawn."""
    config = Config().model_copy(update={"budgets": scenario.budgets})
    sessions = [planting.session for planting in scenario.plantings if planting.session]
    tracer = Tracer(config, scenario.tenant, sessions)
    run_through(tracer, config, scenario.events())
    judgement = judged(tracer.run, scenario.plantings, scenario.label, scenario.begin)
    return Seen(scenario, judgement, tracer.run.opened, tracer.run.windows, tracer)


def binned(windows: Sequence[WindowTotals], begin: float, end: float, seconds: float) -> Iterator[WindowTotals]:
    """Sum windows up into bins of so many seconds from `begin` on; bins that end after `end` are left out."""
    bins: dict[int, list[WindowTotals]] = defaultdict(list)
    for window in windows:
        bins[int((window.start - begin) // seconds)].append(window)
    for number in range(int((end - begin) // seconds)):
        start, held = begin + number * seconds, bins[number]
        yield WindowTotals(start, sum(w.requests for w in held), sum(w.tokens for w in held), sum(w.usd for w in held))
