"""Runs a scenario through the real product, by the code path of `tidegate replay`, and times the Pipeline in it."""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

import msgspec

from benchmarks.quality.scenarios import Scenario
from streamer.config import Config, DetectConfig
from streamer.events.usage import UsageEvent
from streamer.pipeline import Output, Pipeline
from streamer.records import Anomaly, Rollup, Scope
from streamer.replay.run import Shard


class WindowTotals(NamedTuple):
    """What a closed window holds: its start (epoch seconds), requests, tokens and dollars."""

    start: float
    requests: int
    tokens: int
    usd: float


@dataclass(slots=True)
class Times:
    """CPU seconds in the Pipeline, for machines are shared, and what they went into.

    Events, windows of judged entities that were closed, and ticks that closed none.
    """

    event_seconds: float = 0.0
    window_seconds: float = 0.0
    tick_seconds: float = 0.0
    events: int = 0
    windows: int = 0
    ticks: int = 0

    def add(self, other: "Times") -> None:
        """Take in another run's."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def seconds(self) -> float:
        """All of them."""
        return self.event_seconds + self.window_seconds + self.tick_seconds


@dataclass(slots=True)
class Run:
    """What came of a scenario: anomalies as they were when opened, in order, and windows by scope."""

    opened: list[Anomaly] = field(default_factory=list)
    windows: dict[Scope, list[WindowTotals]] = field(default_factory=lambda: defaultdict(list))
    times: Times = field(default_factory=Times)


class Recorder(Pipeline):
    """A Pipeline that is timed and whose output is kept in `run`; `sessions` are those whose windows are kept too."""

    def __init__(self, config: Config, sessions: Iterable[str] = ()) -> None:
        super().__init__(config)
        self.run = Run()
        self._sessions = frozenset(sessions)

    def submit(self, events: Sequence[UsageEvent], now: float) -> Output:
        """Take in events, as a Pipeline does; time that closes windows is counted as theirs."""
        events, began = list(events), time.process_time()
        output = super().submit(events, now)
        seconds, times = time.process_time() - began, self.run.times
        times.events += len(events)
        if not self._kept(output, seconds):
            times.event_seconds += seconds
        return output

    def tick(self, now: float) -> Output:
        """Let time pass, as a Pipeline does."""
        began = time.process_time()
        output = super().tick(now)
        seconds, times = time.process_time() - began, self.run.times
        times.ticks += 1
        if not self._kept(output, seconds):
            times.tick_seconds += seconds
        return output

    def flush(self) -> Output:
        """Close all windows, as a Pipeline does."""
        began = time.process_time()
        output = super().flush()
        self._kept(output, time.process_time() - began)
        return output

    def _kept(self, output: Output, seconds: float) -> bool:
        """Keep what came out; tells whether windows closed."""
        if output.anomalies:
            self.run.opened += [msgspec.structs.replace(case) for case in output.anomalies if case.state == "opened"]
        if not output.rollups:
            return False
        self.run.times.window_seconds += seconds
        for rollup in output.rollups:
            if rollup.level != "session":
                self.run.times.windows += 1
            if rollup.level in ("tenant", "use_case", "agent") or rollup.scope.session in self._sessions:
                self.run.windows[rollup.scope].append(_totals(rollup))
        return True


def replayed(scenario: Scenario, config: Config, events: Sequence[UsageEvent] | None = None) -> Run:
    """Replay a scenario with its budgets; `events` are the scenario's own, where the caller has them."""
    config = config.model_copy(update={"budgets": scenario.budgets})
    recorder = Recorder(config, (planting.session for planting in scenario.plantings if planting.session))
    events = scenario.events() if events is None else events
    run_through(recorder, config, events)
    return recorder.run


def run_through(recorder: Recorder, config: Config, events: Iterable[UsageEvent]) -> None:
    """Replay events without the alert side, which changes nothing of what the Pipeline says, but takes time."""
    shard = Shard(config, pipeline=recorder)
    for _ in chain(shard.outputs(events), shard.last()):
        pass


def blind() -> Config:
    """Give a configuration that detects nothing, to be timed beside the one that does."""
    sections = {
        name: section.model_copy(update={"enabled": False})
        for name, section in DetectConfig()
        if "enabled" in getattr(type(section), "model_fields", ())
    }
    return Config(detect=DetectConfig().model_copy(update=sections))


def series(scenario: Scenario, scope: Scope, config: Config | None = None) -> tuple[list[WindowTotals], list[Anomaly]]:
    """Give the windows of one scope of a scenario and the tenant's opened anomalies: what a picture shows."""
    run = replayed(scenario, config or Config())
    return run.windows[scope], run.opened


def _totals(rollup: Rollup) -> WindowTotals:
    tokens = rollup.input_tokens + rollup.output_tokens
    return WindowTotals(rollup.start.timestamp(), rollup.requests, tokens, float(rollup.usd))
