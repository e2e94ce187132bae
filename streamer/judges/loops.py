"""Judges sessions: tool calls that go round in circles, and what the circle costs."""

from collections import OrderedDict
from decimal import Decimal

import msgspec

from detectors import LoopDetector, LoopFinding, LoopParams
from streamer.config import LoopConfig
from streamer.events.usage import UsageEvent
from streamer.judges.cases import HOUR, Cases, Reading
from streamer.pricing.money import ZERO
from streamer.records import Scope
from streamer.windows.entity import Entity


class LoopSnapshot(msgspec.Struct, array_like=True):
    """What is written down of one session."""

    session: Entity
    spent: Decimal
    last_proof: float
    over: float
    series: str
    calls: bytes


class _Session:
    __slots__ = ("detector", "last_proof", "over", "series", "spent")

    def __init__(self, params: LoopParams) -> None:
        self.detector = LoopDetector(params)
        self.spent = ZERO
        self.last_proof = self.over = float("-inf")
        self.series = ""


class LoopJudge:
    """Loops of one tenant's sessions; a loop is over when no call has proven it for `quiet_seconds`."""

    def __init__(self, tenant: str, config: LoopConfig, cases: Cases) -> None:
        self._tenant, self._config, self._cases = tenant, config, cases
        self._params = LoopParams(
            repeats=config.repeats,
            memory=config.memory,
            cycle_repeats=config.cycle_repeats,
            longest_cycle=config.longest_cycle,
            span=config.span_seconds,
        )
        self._sessions: OrderedDict[Entity, _Session] = OrderedDict()
        self._looping: dict[Entity, _Session] = {}

    def on_event(self, event: UsageEvent, usd: Decimal, at: float) -> None:
        """Take in an event of a session; opens or updates a case at the call that proves the loop."""
        if not (self._config.enabled and event.session):
            return
        # By the session alone: agents that call each other in a ring share it.
        name = Entity("session", session=event.session)
        session = self._session(name, at)
        if event.tool and event.tool_args_hash:
            identity = f"{event.tool}\x00{event.tool_args_hash}"
            finding = session.detector.observe(identity, at, str(session.spent))
            session.spent += usd
            if finding:
                self._prove(name, session, event, finding, at)
        else:
            session.spent += usd

    def on_time(self, at: float) -> None:
        """Close the cases of sessions that have been quiet until `at`, the tenant's event time."""
        # Sorted, for their order of opening is not written down.
        quiet = sorted(n for n, s in self._looping.items() if at - s.last_proof >= self._config.quiet_seconds)
        for name in quiet:
            session = self._looping.pop(name)
            session.over = session.last_proof + self._config.quiet_seconds
            self._cases.close(session.series, session.over)
            session.series = ""

    def snapshot(self) -> list[LoopSnapshot]:
        """Write all sessions down, the least recently used first."""
        return [
            LoopSnapshot(name, s.spent, s.last_proof, s.over, s.series, s.detector.snapshot())
            for name, s in self._sessions.items()
        ]

    def restore(self, snapshots: list[LoopSnapshot]) -> None:
        """Take up what `snapshot` wrote."""
        for snapshot in snapshots:
            session = self._sessions[snapshot.session] = _Session(self._params)
            session.spent, session.last_proof = snapshot.spent, snapshot.last_proof
            session.over, session.series = snapshot.over, snapshot.series
            session.detector.restore(snapshot.calls)
            if session.series:
                self._looping[snapshot.session] = session

    def _session(self, name: Entity, at: float) -> _Session:
        session = self._sessions.get(name)
        if session is None:
            session = self._sessions[name] = _Session(self._params)
            if len(self._sessions) > self._config.max_sessions:
                self._forget_oldest(at)
        self._sessions.move_to_end(name)
        return session

    def _forget_oldest(self, at: float) -> None:
        name, session = self._sessions.popitem(last=False)
        if self._looping.pop(name, None):
            self._cases.close(session.series, at)

    def _prove(self, name: Entity, session: _Session, event: UsageEvent, finding: LoopFinding, at: float) -> None:
        # What comes late of a loop that was said to be over is no new one.
        if at < session.over:
            return
        session.last_proof = max(session.last_proof, at)
        reading = self._reading(event, session, finding, at)
        if session.series:
            self._cases.update(session.series, at, reading)
            return
        session.series = f"{name.key(self._tenant)}#loop"
        self._looping[name] = session
        scope = Scope(use_case=event.use_case, agent=event.agent, session=event.session, tool=event.tool)
        self._cases.open("loop", session.series, scope, at, reading)

    def _reading(self, event: UsageEvent, session: _Session, finding: LoopFinding, at: float) -> Reading:
        excess = session.spent - Decimal(finding.spent_before)
        # The loop's cost of a whole case is counted from the first of the repeated calls on.
        if session.series:
            excess = max(excess, self._cases.excess(session.series))
        seconds = Decimal(repr(max(at - finding.since, 1.0)))
        return Reading(
            observed=finding.repeats,
            expected=1,
            score=finding.score,
            usd_excess=excess,
            usd_per_hour=(session.spent - Decimal(finding.spent_before)) * HOUR / seconds,
            reason=_reason(event, finding, at),
        )


def _reason(event: UsageEvent, finding: LoopFinding, at: float) -> str:
    seconds = f"in {max(at - finding.since, 0):.0f} s"
    if finding.cycle == 1:
        return f"{event.tool} called {finding.repeats} times with the same arguments {seconds}"
    return f"the same {finding.cycle} calls, {event.tool} the last, gone through {finding.repeats} times {seconds}"
