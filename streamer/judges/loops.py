"""Judges sessions: tool calls that go round in circles, and what the circle costs."""

from collections import OrderedDict
from collections.abc import Iterator
from decimal import Decimal

import msgspec
from xxhash import xxh3_64_intdigest

from detectors import LoopDetector, LoopFinding, LoopParams
from streamer.config import LoopConfig
from streamer.events.usage import UsageEvent
from streamer.judges.cases import HOUR, Cases, Reading
from streamer.pricing.money import dollars
from streamer.records import Scope
from streamer.windows.entity import Entity


class _Written(msgspec.Struct, array_like=True):
    """One session: when it last made a call (a count), femtodollars, the times of `_Session`, series, last calls."""

    session: str
    turn: int
    spent: str
    last_proof: float
    over: float
    series: str
    calls: bytes


class _Session:
    __slots__ = ("detector", "last_proof", "over", "series", "spent", "turn")

    def __init__(self, params: LoopParams) -> None:
        self.detector = LoopDetector(params)
        self.spent = self.turn = 0
        self.last_proof = self.over = float("-inf")
        self.series = ""


class LoopJudge:
    """Loops of one tenant's sessions; a loop is over when no call has proven it for `quiet_seconds`.

    A session is followed from its first tool call on, by its name alone: agents that call each other in a ring
    share it.
    """

    def __init__(self, tenant: str, config: LoopConfig, cases: Cases) -> None:
        self._tenant, self._config, self._cases = tenant, config, cases
        self._params = LoopParams(
            repeats=config.repeats,
            memory=config.memory,
            cycle_repeats=config.cycle_repeats,
            longest_cycle=config.longest_cycle,
            span=config.span_seconds,
        )
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._changed: set[str] = set()
        self._turn = 0
        #: The sessions that have an open case.
        self.looping: dict[str, _Session] = {}

    def on_event(self, event: UsageEvent, usd: int, at: float) -> None:
        """Take in an event of a session (`usd` in femtodollars); opens or updates a case at the call that proves it."""
        name = event.session
        session = self._sessions.get(name)
        if event.tool and event.tool_args_hash and self._config.enabled:
            self._called(session or self._enter(name, at), event, usd, at)
        elif session is not None:
            session.spent += usd
            self._changed.add(name)

    def on_time(self, at: float) -> None:
        """Close the cases of sessions that have been quiet until `at`, the tenant's event time."""
        # Sorted, for their order of opening is not written down.
        quiet = sorted(n for n, s in self.looping.items() if at - s.last_proof >= self._config.quiet_seconds)
        for name in quiet:
            session = self.looping.pop(name)
            session.over = session.last_proof + self._config.quiet_seconds
            self._cases.close(session.series, session.over)
            session.series = ""
            self._changed.add(name)

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give the sessions that changed since the last call, by name, written down; None for dropped ones."""
        for name in sorted(self._changed):
            session = self._sessions.get(name)
            yield name, self._written(name, session) if session else None
        self._changed.clear()

    def restore(self, parts: list[bytes]) -> None:
        """Take up what `changes` gave."""
        found = [msgspec.msgpack.decode(part, type=_Written) for part in parts]
        for written in sorted(found, key=lambda written: written.turn):
            session = self._sessions[written.session] = _Session(self._params)
            self._turn = session.turn = written.turn
            session.spent, session.last_proof = int(written.spent), written.last_proof
            session.over, session.series = written.over, written.series
            session.detector.restore(written.calls)
            if session.series:
                self.looping[written.session] = session

    def _called(self, session: _Session, event: UsageEvent, usd: int, at: float) -> None:
        name = event.session
        self._turn += 1
        session.turn = self._turn
        self._sessions.move_to_end(name)
        self._changed.add(name)
        spent = session.spent
        session.spent = spent + usd
        identity = xxh3_64_intdigest(f"{event.tool}\x00{event.tool_args_hash}".encode())
        finding = session.detector.observe(identity, at, spent)
        if finding:
            self._prove(session, event, finding, at)

    def _written(self, name: str, s: _Session) -> bytes:
        return msgspec.msgpack.encode(
            _Written(name, s.turn, str(s.spent), s.last_proof, s.over, s.series, s.detector.snapshot())
        )

    def _enter(self, name: str, at: float) -> _Session:
        session = self._sessions[name] = _Session(self._params)
        if len(self._sessions) > self._config.max_sessions:
            self._forget_oldest(at)
        return session

    def _forget_oldest(self, at: float) -> None:
        name, session = self._sessions.popitem(last=False)
        self._changed.add(name)
        if self.looping.pop(name, None):
            self._cases.close(session.series, at)

    def _prove(self, session: _Session, event: UsageEvent, finding: LoopFinding, at: float) -> None:
        # What comes late of a loop that was said to be over is no new one.
        if at < session.over:
            return
        session.last_proof = max(session.last_proof, at)
        reading = self._reading(event, session, finding, at)
        if session.series:
            self._cases.update(session.series, at, reading)
            return
        session.series = f"{Entity('session', session=event.session).key(self._tenant)}#loop"
        self.looping[event.session] = session
        scope = Scope(use_case=event.use_case, agent=event.agent, session=event.session, tool=event.tool)
        self._cases.open("loop", session.series, scope, at, reading)

    def _reading(self, event: UsageEvent, session: _Session, finding: LoopFinding, at: float) -> Reading:
        circle = max(dollars(session.spent - finding.spent_before), Decimal(0))
        # The loop's cost of a whole case is counted from the first of the repeated calls on.
        excess = max(circle, self._cases.excess(session.series)) if session.series else circle
        return Reading(
            observed=finding.repeats,
            expected=1,
            score=finding.score,
            usd_excess=excess,
            usd_per_hour=circle * HOUR / Decimal(repr(max(at - finding.since, 1.0))),
            reason=_reason(event, finding, at),
        )


def _reason(event: UsageEvent, finding: LoopFinding, at: float) -> str:
    seconds = f"in {max(at - finding.since, 0):.0f} s"
    if finding.cycle == 1:
        return f"{event.tool} called {finding.repeats} times with the same arguments {seconds}"
    return f"the same {finding.cycle} calls, {event.tool} the last, gone through {finding.repeats} times {seconds}"
