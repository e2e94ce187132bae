"""What is said of a proven loop, one kind of finding for each shape of it."""

import msgspec


class LoopFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A proven loop: of how many calls (handovers, steps) so far, since when, and what had been spent before it."""

    length: int
    since: float
    spent_before: int

    @property
    def score(self) -> float:
        """Give 0.5 and more, nearer to 1 the longer it is."""
        return 1 - 1 / (1 + self.length / 2)


class Repeated(LoopFinding, frozen=True, kw_only=True):
    """The same call again and again, with or without others between, which are not counted."""


class Circled(LoopFinding, frozen=True, kw_only=True):
    """The last calls went round a cycle of `cycle`; all of one tool, or not."""

    cycle: int
    one_tool: bool


class Varied(LoopFinding, frozen=True, kw_only=True):
    """The last calls were of `kinds` kinds only, in no order; all of one tool, or not."""

    kinds: int
    one_tool: bool


class Ringed(LoopFinding, frozen=True, kw_only=True):
    """`agents`, in the order in which they came, handed over to each other without progress."""

    agents: tuple[str, ...]


class Grown(LoopFinding, frozen=True, kw_only=True):
    """With each step the context grew, from `first` to `last` tokens, and nothing came out."""

    first: int
    last: int
