"""Agents that hand over to each other, round and round, while nothing is done."""

from mypy_extensions import mypyc_attr

from detectors.loop.findings import Ringed
from detectors.loop.params import LoopParams
from detectors.loop.state import WrittenRing

# What a step says, beside the agent's step before it: as much again, little, or much that is of another length.
_AGAIN, _LITTLE, _MUCH = range(3)
# Tokens.
_NEAR = 2
# Times `ring_handovers`, where the steps say as much again; where they say little; where they say anything.
_PATIENCE = (1, 2, 5)


@mypyc_attr(acyclic=True)
class Ring:
    """The handovers of a session since it last got on.

    That agents take turns is weak evidence: a router and an answerer do so all day. It is strong where each step says
    as much as the agent's last one (to a tenth; a short one to two tokens, and having read no more than that), weaker
    where steps are short, and weak where they are neither, so that twice and five times as many handovers are asked
    for. An agent that reads a tenth less than in its last step, or more than twice as much, works at something new.
    """

    __slots__ = ("_agent", "_alone", "_handovers", "_params", "_sizes", "_starts")

    def __init__(self, params: LoopParams) -> None:
        self._params = params
        self._agent, self._handovers = "", 0
        # The last step (tokens, time, spend) of an agent that is alone; most are, so that all else is left for later.
        self._alone = (0, 0, 0.0, 0)
        self._sizes: dict[str, tuple[int, int]] = {}
        self._starts: list[tuple[int, float, int]] = []

    def forget(self) -> None:
        """Begin anew: there is progress, or there may be."""
        self._agent = ""
        if self._sizes:
            self._handovers, self._sizes, self._starts = 0, {}, []

    def observe(self, agent: str, taken: int, given: int, at: float, spent: int) -> Ringed | None:
        """Take in a step of `agent` that read `taken` and wrote `given` tokens; tells what it proves."""
        if self._sizes and self._elsewhere(self._sizes.get(agent), taken):
            self.forget()
        if not self._sizes:
            if not self._agent or agent == self._agent:
                self._agent, self._alone = agent, (taken, given, at, spent)
                return None
            self._begin()
        return self._handed(agent, taken, given, at, spent)

    def written(self) -> WrittenRing:
        """Write the whole state down."""
        sizes = [(agent, taken, given) for agent, (taken, given) in self._sizes.items()]
        starts = [(number, at, str(spent)) for number, at, spent in self._starts]
        if self._agent and not sizes:
            taken, given, at, spent = self._alone
            return self._agent, [(self._agent, taken, given)], 0, [(0, at, str(spent))]
        return self._agent, sizes, self._handovers, starts

    def read(self, written: WrittenRing) -> None:
        """Take up what `written` gave."""
        self._agent, sizes, self._handovers, starts = written
        self._sizes, self._starts = {}, []
        if len(sizes) == 1:
            self._alone = (*sizes[0][1:], starts[0][1], int(starts[0][2]))
            return
        self._sizes = {agent: (taken, given) for agent, taken, given in sizes}
        self._starts = [(number, at, int(spent)) for number, at, spent in starts]

    def _begin(self) -> None:
        """See that the agent was alone until now."""
        taken, given, at, spent = self._alone
        self._sizes[self._agent] = taken, given
        self._starts = [(0, at, spent)] * len(_PATIENCE)

    def _handed(self, agent: str, taken: int, given: int, at: float, spent: int) -> Ringed | None:
        last = self._sizes.get(agent)
        if taken or last is None:
            self._sizes[agent] = taken, given
        if last is not None:
            # A handover counts before what is said with it.
            self._say(self._said((taken, given), last), self._handovers + (agent != self._agent), at, spent)
        if agent == self._agent:
            return None
        self._agent = agent
        self._handovers += 1
        return self._proven()

    def _elsewhere(self, last: tuple[int, int] | None, taken: int) -> bool:
        if last is None:
            return len(self._sizes) >= self._params.longest_cycle
        # Of a step that failed it is often not known what it read.
        return taken > 0 < last[0] and not 0.9 * last[0] <= taken <= 2 * last[0]

    def _say(self, said: int, handovers: int, at: float, spent: int) -> None:
        """Let the stretches end that a step says too much for; it is the first of the next."""
        self._starts[:said] = [(handovers, at, spent)] * said

    def _proven(self) -> Ringed | None:
        if self._handovers < self._params.ring_handovers:
            return None
        # The longest stretch first, for it tells the most.
        for (number, at, spent), patience in zip(reversed(self._starts), reversed(_PATIENCE), strict=True):
            handovers = self._handovers - number
            if handovers >= patience * self._params.ring_handovers:
                return Ringed(length=handovers, since=at, spent_before=spent, agents=tuple(self._sizes))
        return None

    def _said(self, step: tuple[int, int], last: tuple[int, int]) -> int:
        (taken, given), (taken_before, given_before) = step, last
        if given > self._params.small_output:
            return _AGAIN if 10 * abs(given - given_before) <= given else _MUCH
        # Short answers are often of one length, so what they answer has to be so, too.
        same = abs(given - given_before) <= _NEAR and 10 * (taken - taken_before) <= taken_before
        return _AGAIN if given and same else _LITTLE
