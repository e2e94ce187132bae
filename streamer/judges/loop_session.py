"""One session as the loop judge follows it: what was spent, who acts, and what its detector is told."""

import re
from functools import lru_cache

import msgspec
from mypy_extensions import mypyc_attr
from xxhash import xxh3_64_intdigest

from detectors import ASKED, MADE, LoopDetector, LoopFinding, LoopParams
from streamer.events.usage import UsageEvent
from streamer.judges.loop_state import WrittenSession

# What may be progress, besides calls that are new: of these it is not known what they were about.
_PROGRESS = frozenset({"tool", "vector", "saas", "human_review", "outcome"})
# How agent frameworks name the tools by which one agent hands over to another: transfer_to_billing, handoff_to_critic.
_HANDOVER = re.compile(r"(transfer|hand|route|delegate|pass|switch)(_?off|_?over|_back)?_to_", re.IGNORECASE)


@mypyc_attr(acyclic=True)
class Session:
    """A session that is followed.

    `turn` counts the tenant's events up to its last one; `spent` is in femtodollars; times are epoch seconds. `agent`
    is the last one named, and nobody else was since `agent_since`. `series` is that of its open case, "" without one;
    its last case was proven at `last_proof`, by what came so slowly that it is over after a `pause`, and was over at
    `over`.
    """

    __slots__ = ("_detector", "agent", "agent_since", "last_proof", "name", "over", "pause", "series", "spent", "turn")

    def __init__(self, name: str, params: LoopParams) -> None:
        self.name = name
        self._detector = LoopDetector(params)
        self.spent = self.turn = 0
        self.agent, self.agent_since = "", 0.0
        self.last_proof = self.over = float("-inf")
        self.pause = 0.0
        self.series = ""

    @property
    def ends(self) -> float:
        """When its case is over, unless it is proven again; epoch seconds."""
        return self.last_proof + self.pause

    @property
    def latest(self) -> float:
        """The time of the newest event that a loop can be seen by."""
        return self._detector.latest

    def take(self, event: UsageEvent, usd: int, at: float) -> LoopFinding | None:
        """Take in an event that cost `usd`; gives what it proves."""
        if event.agent and event.agent != self.agent:
            self.agent, self.agent_since = event.agent, at
        called = self._called(event, at)
        stepped = self._stepped(event, at) if event.kind == "llm" else None
        self.spent += usd
        return called or stepped

    def written(self) -> bytes:
        """Write the whole state down."""
        return msgspec.msgpack.encode(
            WrittenSession(
                self.name,
                self.turn,
                str(self.spent),
                self.agent,
                self.agent_since,
                self.last_proof,
                self.over,
                self.series,
                self._detector.snapshot(),
                self.pause,
            )
        )

    @classmethod
    def read(cls, written: WrittenSession, params: LoopParams) -> "Session":
        """Make the session that `written` gave."""
        session = cls(written.name, params)
        session.turn, session.spent, session.series = written.turn, int(written.spent), written.series
        session.agent, session.agent_since = written.agent, written.agent_since
        session.last_proof, session.over, session.pause = written.last_proof, written.over, written.pause
        session._detector.restore(written.detector)
        return session

    def _called(self, event: UsageEvent, at: float) -> LoopFinding | None:
        tool = event.tool
        if tool and event.tool_args_hash:
            # A model's answer asks for calls that may have events of their own.
            teller = MADE if event.kind == "tool" else ASKED
            if _hands_over(tool):
                # To whom is what counts: the words with it are always others, and no progress.
                return self._detector.hand_over(xxh3_64_intdigest(tool.encode()), tool, at, self.spent, teller)
            identity = xxh3_64_intdigest(f"{tool}\x00{event.tool_args_hash}".encode())
            return self._detector.call(identity, tool, at, self.spent, teller)
        if tool or event.tool_calls or event.kind in _PROGRESS:
            self._detector.progress(at)
        return None

    def _stepped(self, event: UsageEvent, at: float) -> LoopFinding | None:
        return self._detector.step(event.agent, event.input_tokens, event.output_tokens, at, self.spent)


@lru_cache(4096)
def _hands_over(tool: str) -> bool:
    return _HANDOVER.match(tool) is not None
