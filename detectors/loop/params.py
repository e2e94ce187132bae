"""When something is a loop."""

import msgspec


class LoopParams(msgspec.Struct, frozen=True):
    """When calls, handovers and steps of one session are a loop.

    Calls (a call is a tool with its arguments): `repeats` identical ones among the last `memory`, or twice as many
    where something new is called before two in three of them, for that is work; or the last `window` are of
    `longest_cycle` kinds at the most that come back again and again; or `repeats` - 1 of them are identical, and all
    are of one tool, or the identical ones come back after others as well as in a row. Calls older than `span` seconds
    are forgotten. In 100 real episodes of tau-bench one identical call came 3 times at the most, and 10 calls in a row
    were of 8 kinds at the least.

    Agents: `ring_handovers` from one to another of `longest_cycle` at the most, without progress. Context:
    `growth_steps` steps in a row that each read more than the one before, `growth_factor` times as much in the end, and
    write `small_output` tokens at the most, without progress. A `pause` of more seconds ends both: a person may have
    spoken.
    """

    repeats: int = 6
    memory: int = 32
    window: int = 10
    longest_cycle: int = 4
    span: float = 900.0
    ring_handovers: int = 8
    growth_steps: int = 9
    growth_factor: float = 1.5
    small_output: int = 20
    pause: float = 20.0
