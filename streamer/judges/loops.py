"""Judges sessions: calls, handovers and steps that go round in circles, and what the circle costs."""

import math
from collections import OrderedDict
from collections.abc import Iterator
from decimal import Decimal

import msgspec

from detectors import LoopFinding, LoopParams
from streamer.config import LoopConfig
from streamer.dedup import SeenIds
from streamer.events.usage import UsageEvent
from streamer.judges.cases import HOUR, Cases, Reading
from streamer.judges.loop_session import Session
from streamer.judges.loop_state import WrittenMet, WrittenSession
from streamer.judges.loop_words import reason, scope
from streamer.pricing.money import dollars
from streamer.windows.entity import Entity

# Of sessions that are not followed it is remembered for a while that they were met: so many times `max_sessions`.
_MET = 10
# So many times as long as its calls lie apart a loop may pause.
_SLOW = 3.0
# In smaller chunks than ids of events, for they come more slowly.
_MET_CHUNK = 256


class LoopJudge:
    """Loops of one tenant's sessions.

    A loop is over when nothing has proven it for `quiet_seconds`, and for three times as long as its calls lie apart.

    A session is followed by its name alone, for agents that call each other in a ring share it: from its first tool
    call on; or from when it shows a second agent; or from its second event on, where that has hardly any output. So
    the many that are asked and answer are not followed at all. Nor is one whose calls are all older than
    `span_seconds`: it is forgotten when another comes.
    """

    def __init__(self, tenant: str, config: LoopConfig, cases: Cases) -> None:
        self._tenant, self._config, self._cases = tenant, config, cases
        self._params = _params(config)
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        # The sessions that were met, twice: each with its agents, and by itself ("").
        self._met = SeenIds(config.span_seconds, _MET * config.max_sessions, _MET_CHUNK)
        self._changed: set[str] = set()
        self._turn = 0
        #: The sessions that have an open case.
        self.looping: dict[str, Session] = {}

    def on_event(self, event: UsageEvent, usd: int, at: float) -> None:
        """Take in an event of a session (`usd` in femtodollars); opens or updates a case at the one that proves it."""
        if not self._config.enabled:
            return
        name = event.session
        session = self._sessions.get(name)
        if session is None:
            if not self._is_to_follow(event, at):
                return
            session = self._enter(name, at)
        self._turn += 1
        session.turn = self._turn
        self._sessions.move_to_end(name)
        self._changed.add(name)
        finding = session.take(event, usd, at)
        if finding:
            self._prove(session, event, finding, at)

    @property
    def due(self) -> float:
        """The moment (epoch seconds, of event time) before which `on_time` has nothing to close."""
        if not self.looping:
            return math.inf
        return min(session.ends for session in self.looping.values())

    def on_time(self, at: float) -> None:
        """Close the cases of sessions that have been quiet until `at`, the tenant's event time."""
        # Sorted, for their order of opening is not written down.
        quiet = sorted(name for name, session in self.looping.items() if at >= session.ends)
        for name in quiet:
            session = self.looping.pop(name)
            session.over = session.ends
            self._cases.close(session.series, session.over)
            session.series = ""
            self._changed.add(name)

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Give what changed since the last call, by name, written down; None for what was dropped.

        Names of sessions begin with a slash; those of chunks of the sessions that were met do not.
        """
        for name in sorted(self._changed):
            session = self._sessions.get(name)
            yield f"/{name}", session.written() if session else None
        self._changed.clear()
        for place, hashes in self._met.changes():
            part = None if hashes is None else msgspec.msgpack.encode(WrittenMet(place, hashes))
            yield f"{place[0]}.{place[1]}", part

    def restore(self, parts: list[bytes]) -> None:
        """Take up what `changes` gave."""
        found = [msgspec.msgpack.decode(part, type=WrittenSession | WrittenMet) for part in parts]
        self._met.restore({part.place: part.hashes for part in found if isinstance(part, WrittenMet)})
        sessions = [part for part in found if isinstance(part, WrittenSession)]
        for written in sorted(sessions, key=lambda written: written.turn):
            session = self._sessions[written.name] = Session.read(written, self._params)
            self._turn = session.turn
            if session.series:
                # Earlier releases wrote none down.
                session.pause = session.pause or self._config.quiet_seconds
                self.looping[session.name] = session

    def _is_to_follow(self, event: UsageEvent, at: float) -> bool:
        if event.tool and event.tool_args_hash:
            return True
        if event.kind != "llm":
            return False
        if event.agent and self._met.add(event.agent, event.session, at):
            return not self._met.add("", event.session, at)
        if not event.input_tokens or event.output_tokens > self._config.small_output_tokens:
            return False
        return bool(event.agent) or not self._met.add("", event.session, at)

    def _enter(self, name: str, at: float) -> Session:
        self._forget_ended(at - self._config.span_seconds)
        session = self._sessions[name] = Session(name, self._params)
        if len(self._sessions) > self._config.max_sessions:
            self._forget_oldest(at)
        return session

    def _forget_ended(self, before: float) -> None:
        """Forget the sessions of which nothing is known any more but that they were."""
        while self._sessions:
            oldest = next(iter(self._sessions.values()))
            if oldest.series or oldest.latest >= before:
                return
            self._forget_oldest(before)

    def _forget_oldest(self, at: float) -> None:
        name, session = self._sessions.popitem(last=False)
        self._changed.add(name)
        if self.looping.pop(name, None):
            self._cases.close(session.series, at)

    def _prove(self, session: Session, event: UsageEvent, finding: LoopFinding, at: float) -> None:
        # What comes late of a loop that was said to be over is no new one.
        if at < session.over:
            return
        session.last_proof = max(session.last_proof, at)
        apart = (at - finding.since) / max(1, finding.length - 1)
        session.pause = max(self._config.quiet_seconds, _SLOW * apart)
        reading = self._reading(event, session, finding, at)
        if session.series:
            self._cases.update(session.series, at, reading)
            return
        series = f"{Entity('session', session=session.name).key(self._tenant)}#loop"
        agent = session.agent if session.agent_since <= finding.since else ""
        self._cases.open("loop", series, scope(event, finding, agent), at, reading)
        session.series = series
        self.looping[session.name] = session

    def _reading(self, event: UsageEvent, session: Session, finding: LoopFinding, at: float) -> Reading:
        circle = max(dollars(session.spent - finding.spent_before), Decimal(0))
        # The loop's cost of a whole case is counted from the first of the repeated calls on.
        excess = max(circle, self._cases.excess(session.series)) if session.series else circle
        return Reading(
            observed=finding.length,
            expected=1,
            score=finding.score,
            usd_excess=excess,
            usd_per_hour=circle * HOUR / Decimal(repr(max(at - finding.since, 1.0))),
            reason=reason(event.tool, finding, at),
        )


def _params(config: LoopConfig) -> LoopParams:
    return LoopParams(
        repeats=config.repeats,
        memory=config.memory,
        window=config.window,
        longest_cycle=config.longest_cycle,
        span=config.span_seconds,
        ring_handovers=config.ring_handovers,
        growth_steps=config.growth_steps,
        growth_factor=config.growth_factor,
        small_output=config.small_output_tokens,
        pause=config.pause_seconds,
    )
