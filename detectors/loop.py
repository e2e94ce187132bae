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


class Call(msgspec.Struct, frozen=True, array_like=True):
    """One tool call: its identity, its time (epoch seconds), and what the session had spent before it."""

    identity: str
    at: float
    spent: str


class LoopFinding(msgspec.Struct, frozen=True):
    """A proven loop: how often, since when, what had been spent when it began, and how many calls make a round."""

    repeats: int
    since: float
    spent_before: str
    cycle: int

    @property
    def score(self) -> float:
        """Give 0.5 and more, nearer to 1 with each repeat."""
        return 1 - 1 / (1 + self.repeats / 2)


class LoopDetector:
    """The last calls of one session; `observe` answers at once whether the newest one proves a loop.

    >>> detector = LoopDetector(LoopParams(repeats=3))
    >>> [detector.observe(call, at, "0") is not None for at, call in enumerate("abaa")]
    [False, False, False, True]
    """

    def __init__(self, params: LoopParams) -> None:
        self.params = params
        self._calls: deque[Call] = deque(maxlen=params.memory)

    def observe(self, identity: str, at: float, spent: str) -> LoopFinding | None:
        """Take in a call of `identity` at `at` (epoch seconds); `spent` is the session's spend before it, a decimal."""
        calls = self._calls
        calls.append(Call(identity, at, spent))
        while calls[0].at < at - self.params.span:
            calls.popleft()
        return self._repeated(identity) or self._cycled()

    def snapshot(self) -> bytes:
        """Write the whole state down."""
        return msgspec.msgpack.encode(list(self._calls))

    def restore(self, snapshot: bytes) -> None:
        """Take up the state that `snapshot` wrote."""
        self._calls.clear()
        self._calls.extend(msgspec.msgpack.decode(snapshot, type=list[Call]))

    def _repeated(self, identity: str) -> LoopFinding | None:
        same = [call for call in self._calls if call.identity == identity]
        if len(same) < self.params.repeats:
            return None
        return LoopFinding(len(same), same[0].at, same[0].spent, 1)

    def _cycled(self) -> LoopFinding | None:
        names = [call.identity for call in self._calls]
        for cycle in range(2, self.params.longest_cycle + 1):
            length = cycle * self.params.cycle_repeats
            if len(names) >= length and names[-length:] == names[-cycle:] * self.params.cycle_repeats:
                first = self._calls[-length]
                return LoopFinding(self.params.cycle_repeats, first.at, first.spent, cycle)
        return None
