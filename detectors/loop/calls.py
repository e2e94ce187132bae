"""Tool calls that come again and again: the same one, a few in turn, or small variations of one."""

from itertools import groupby

from mypy_extensions import mypyc_attr

from detectors.loop.few import few
from detectors.loop.findings import Circled, LoopFinding, Repeated, Varied
from detectors.loop.params import LoopParams
from detectors.loop.state import BOTH, MADE, Call, WrittenCalls

# So many times `repeats` are asked of a call that comes back between work.
_PATIENCE = 2
# Of a call's repeats one in so many has to be in vain, or it comes back between work.
_IN_VAIN = 3


@mypyc_attr(acyclic=True)
class Calls:
    """The last calls of a session."""

    __slots__ = ("_calls", "_counts", "_params", "_streak", "_tool")

    def __init__(self, params: LoopParams) -> None:
        self._params = params
        # A list of a few dozen at most: an empty deque would take 600 bytes in each session.
        self._calls: list[Call] = []
        self._counts: dict[int, int] = {}
        # How many of the last calls in a row were of one tool.
        self._tool, self._streak = "", 0

    def knows(self, identity: int, teller: int) -> bool:
        """Tell whether this is a call that is remembered, of which only the other teller has told so far."""
        if identity not in self._counts:
            return False
        for call in self._calls:
            if call.identity == identity and call.teller == BOTH - teller:
                call.teller = BOTH
                return True
        return False

    def add(self, identity: int, tool: str, at: float, spent: int, teller: int = MADE) -> bool:
        """Remember a call; tells whether it is a new one, unlike all that are remembered."""
        calls, oldest = self._calls, at - self._params.span
        self._append(Call(identity, at, spent, teller))
        self._streak = self._streak + 1 if tool == self._tool else 1
        self._tool = tool
        while len(calls) > self._params.memory or calls[0].at < oldest:
            self._forget()
        return self._counts[identity] == 1

    def proven(self) -> LoopFinding | None:
        """Say what the newest call proves; it is one that came before."""
        # A glance at the number spares most of the comparisons.
        found = self._few() if len(self._calls) >= self._params.window - 1 else None
        return found or self._repeated()

    def written(self) -> WrittenCalls:
        """Write the whole state down."""
        return [(call.identity, call.at, str(call.spent)) for call in self._calls], self._tool, self._streak

    def tellers(self) -> bytes:
        """Write down who told of each call."""
        return bytes([call.teller for call in self._calls])

    def read(self, written: WrittenCalls, tellers: bytes) -> None:
        """Take up what `written` and `tellers` gave."""
        calls, self._tool, self._streak = written
        self._calls.clear()
        self._counts.clear()
        for place, (identity, at, spent) in enumerate(calls):
            self._append(Call(identity, at, int(spent), tellers[place] if tellers else BOTH))

    def _append(self, call: Call) -> None:
        self._calls.append(call)
        self._counts[call.identity] = self._counts.get(call.identity, 0) + 1

    def _forget(self) -> None:
        identity = self._calls.pop(0).identity
        left = self._counts[identity] - 1
        if left:
            self._counts[identity] = left
        else:
            del self._counts[identity]

    def _repeated(self) -> Repeated | None:
        identity = self._calls[-1].identity
        if not self._proves(identity, self._counts[identity]):
            return None
        same = [call for call in self._calls if call.identity == identity]
        return Repeated(length=len(same), since=same[0].at, spent_before=same[0].spent)

    def _proves(self, identity: int, count: int) -> bool:
        """Tell whether a call that is remembered `count` times goes round in a circle."""
        repeats = self._params.repeats
        if count < repeats - 1 or count >= _PATIENCE * repeats:
            return count >= repeats
        if _IN_VAIN * self._in_vain(identity) < count - 1:
            return False
        return count >= repeats or self._stumbles(identity)

    def _in_vain(self, identity: int) -> int:
        """Count how often it came again though nothing new had been called since; tests that follow an edit do not."""
        met, found, news = set[int](), 0, True
        for call in self._calls:
            if call.identity == identity:
                found, news = found + (not news), False
            elif call.identity not in met:
                met.add(call.identity)
                news = True
        return found

    def _stumbles(self, identity: int) -> bool:
        """Tell whether the last calls are this one too often: it comes back after others, and is made twice in a row.

        What is polled between other work comes back, and what is retried comes in a row; neither does both.
        """
        last = [call.identity == identity for call in self._calls[-self._params.window :]]
        if sum(last) < self._params.repeats - 1:
            return False
        runs = sum(same for same, _ in groupby(last))
        return 1 < runs < sum(last)

    def _few(self) -> LoopFinding | None:
        found = few([call.identity for call in self._calls], self._streak, self._params)
        if found is None:
            return None
        first, one_tool = self._calls[-found.calls], self._streak >= found.calls
        if found.cycle:
            return Circled(
                length=found.calls, since=first.at, spent_before=first.spent, cycle=found.cycle, one_tool=one_tool
            )
        return Varied(
            length=found.calls, since=first.at, spent_before=first.spent, kinds=found.kinds, one_tool=one_tool
        )
