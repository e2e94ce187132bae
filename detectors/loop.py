"""An agent that goes round in circles, seen at the call that proves it."""

from collections import deque

import msgspec


class LoopParams(msgspec.Struct, frozen=True):
    """When repeated calls are a loop.

    `repeats` identical calls (same tool, same arguments) among the last `memory` calls; or a cycle of 2 to
    `longest_cycle` calls gone through `cycle_repeats` times without a break. Calls older than `span` seconds are
    forgotten. In 100 real episodes of tau-bench one identical call came 3 times at the most.
    """

    repeats: int = 6
    memory: int = 32
    cycle_repeats: int = 4
    longest_cycle: int = 4
    span: float = 900.0


class Call(msgspec.Struct, frozen=True, gc=False):
    """One tool call: its identity, its time (epoch seconds), and what the session had spent before it."""

    identity: int
    at: float
    spent: int


class LoopFinding(msgspec.Struct, frozen=True):
    """A proven loop: how often, since when, what had been spent when it began, and how many calls make a round."""

    repeats: int
    since: float
    spent_before: int
    cycle: int

    @property
    def score(self) -> float:
        """Give 0.5 and more, nearer to 1 with each repeat."""
        return 1 - 1 / (1 + self.repeats / 2)


class LoopDetector:
    """The last calls of one session; `observe` answers at once whether the newest one proves a loop.

    A call's identity is any number that equal calls share; spend is a whole number of the caller's unit.

    >>> detector = LoopDetector(LoopParams(repeats=3))
    >>> [detector.observe(ord(call), at, 0) is not None for at, call in enumerate("abaa")]
    [False, False, False, True]
    """

    __slots__ = ("_calls", "_counts", "params")

    def __init__(self, params: LoopParams) -> None:
        self.params = params
        self._calls: deque[Call] = deque()
        self._counts: dict[int, int] = {}

    def observe(self, identity: int, at: float, spent: int) -> LoopFinding | None:
        """Take in a call of `identity` at `at` (epoch seconds); `spent` is the session's spend before it."""
        calls, oldest = self._calls, at - self.params.span
        self._add(Call(identity, at, spent))
        while len(calls) > self.params.memory or calls[0].at < oldest:
            self._forget()
        if self._counts[identity] >= self.params.repeats:
            return self._repeated(identity)
        return self._cycled()

    def snapshot(self) -> bytes:
        """Write the whole state down."""
        # Spend as text: what is packed as a number ends at 64 bits.
        return msgspec.msgpack.encode([(call.identity, call.at, str(call.spent)) for call in self._calls])

    def restore(self, snapshot: bytes) -> None:
        """Take up the state that `snapshot` wrote."""
        self._calls.clear()
        self._counts.clear()
        for identity, at, spent in msgspec.msgpack.decode(snapshot, type=list[tuple[int, float, str]]):
            self._add(Call(identity, at, int(spent)))

    def _add(self, call: Call) -> None:
        self._calls.append(call)
        self._counts[call.identity] = self._counts.get(call.identity, 0) + 1

    def _forget(self) -> None:
        identity = self._calls.popleft().identity
        left = self._counts[identity] - 1
        if left:
            self._counts[identity] = left
        else:
            del self._counts[identity]

    def _repeated(self, identity: int) -> LoopFinding:
        same = [call for call in self._calls if call.identity == identity]
        return LoopFinding(len(same), same[0].at, same[0].spent, 1)

    def _cycled(self) -> LoopFinding | None:
        calls, last = self._calls, self._calls[-1].identity
        for cycle in range(2, self.params.longest_cycle + 1):
            # A glance at one call a round ago spares most of the comparisons.
            if len(calls) > cycle and calls[-1 - cycle].identity == last and self._goes_round(cycle):
                first = calls[-cycle * self.params.cycle_repeats]
                return LoopFinding(self.params.cycle_repeats, first.at, first.spent, cycle)
        return None

    def _goes_round(self, cycle: int) -> bool:
        names, rounds = [call.identity for call in self._calls], self.params.cycle_repeats
        length = cycle * rounds
        return len(names) >= length and names[-length:] == names[-cycle:] * rounds
