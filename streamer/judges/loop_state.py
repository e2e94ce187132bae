"""What is written down of the sessions that the loop judge follows, and of those that it has met."""

import msgspec


class WrittenSession(msgspec.Struct, array_like=True, tag=0):
    """A session written down: its name, the fields of `Session` (the spend as text), its detector."""

    name: str
    turn: int
    spent: str
    agent: str
    agent_since: float
    last_proof: float
    over: float
    series: str
    detector: bytes
    pause: float = 0.0


class WrittenMet(msgspec.Struct, array_like=True, tag=1):
    """A chunk of the sessions that were met."""

    place: tuple[int, int]
    hashes: bytes
