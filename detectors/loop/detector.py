"""All shapes of a loop in one session."""

from math import isfinite

import msgspec
from mypy_extensions import mypyc_attr

from detectors.loop.calls import Calls
from detectors.loop.findings import LoopFinding
from detectors.loop.growth import Growth
from detectors.loop.params import LoopParams
from detectors.loop.ring import Ring
from detectors.loop.state import MADE, WrittenDetector


@mypyc_attr(acyclic=True)
class LoopDetector:
    """What one session did last; each method answers at once whether the newest of it proves a loop.

    Told are its tool calls, its handovers, its steps (each a request to a model), and all else that may be progress. A
    call that is unlike all that are remembered is progress, too. Of one call two may tell, in either order: the answer
    that asked for it (`ASKED`) and the call itself (`MADE`); it is one call then. Times are epoch seconds, spend is a
    whole number of the caller's unit, as it was before what is told. Times that are no finite number are refused with
    ValueError.

    >>> detector = LoopDetector(LoopParams(repeats=3))
    >>> [detector.call(ord(call), "search", at, 0) is not None for at, call in enumerate("abaa")]
    [False, False, False, True]
    """

    __slots__ = ("_calls", "_growth", "_handovers", "_latest", "_ring", "params")

    def __init__(self, params: LoopParams) -> None:
        self.params = params
        self._calls, self._ring, self._growth = Calls(params), Ring(params), Growth(params)
        # Made with the first; most sessions have none.
        self._handovers: Calls | None = None
        self._latest = 0.0

    @property
    def latest(self) -> float:
        """The time of the newest that was told; 0 where nothing was."""
        return self._latest

    def call(self, identity: int, tool: str, at: float, spent: int, teller: int = MADE) -> LoopFinding | None:
        """Take in a call of `tool`; `identity` is any number that calls with the same arguments share."""
        self._pass(at)
        if self._calls.knows(identity, teller):
            return None
        if self._calls.add(identity, tool, at, spent, teller):
            self._get_on()
            return None
        return self._calls.proven()

    def hand_over(self, whom: int, tool: str, at: float, spent: int, teller: int = MADE) -> LoopFinding | None:
        """Take in that one agent handed over to `whom` (any number) by `tool`: no progress, and in work no repeat."""
        self._pass(at)
        handovers = self._handovers = self._handovers or Calls(self.params)
        known = handovers.knows(whom, teller) or handovers.add(whom, tool, at, spent, teller)
        return None if known else handovers.proven()

    def step(self, agent: str, taken: int, given: int, at: float, spent: int) -> LoopFinding | None:
        """Take in a step of `agent` ("" if unknown) that read `taken` and wrote `given` tokens, 0 if unknown."""
        self._pass(at)
        ringed = self._ring.observe(agent, taken, given, at, spent) if agent else None
        return self._growth.observe(taken, given, at, spent) or ringed

    def progress(self, at: float) -> None:
        """Take in that something came out, or may have."""
        self._pass(at)
        self._get_on()

    def snapshot(self) -> bytes:
        """Write the whole state down."""
        return msgspec.msgpack.encode(
            WrittenDetector(
                self._calls.written(),
                self._ring.written(),
                self._growth.written(),
                self._handovers.written() if self._handovers else None,
                self._latest,
                self._calls.tellers(),
                self._handovers.tellers() if self._handovers else b"",
            )
        )

    def restore(self, snapshot: bytes) -> None:
        """Take up the state that `snapshot` wrote."""
        written = msgspec.msgpack.decode(snapshot, type=WrittenDetector)
        self._calls.read(written.calls, written.tellers)
        self._ring.read(written.ring)
        self._growth.read(written.growth)
        self._handovers = Calls(self.params) if written.handovers else None
        if self._handovers and written.handovers:
            self._handovers.read(written.handovers, written.handover_tellers)
        self._latest = written.latest

    def _pass(self, at: float) -> None:
        """Let time pass; after a pause nothing is left but the calls."""
        if 0.0 <= at - self._latest <= self.params.pause:  # nearly always, and true of no time that is not finite
            self._latest = at
            return
        if not isfinite(at):
            raise ValueError(f"the time has to be a finite number, not {at}")
        if at - self._latest > self.params.pause:
            self._get_on()
        self._latest = max(self._latest, at)

    def _get_on(self) -> None:
        self._ring.forget()
        self._growth.forget()
        self._handovers = None
