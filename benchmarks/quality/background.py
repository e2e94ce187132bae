"""A tenant's whole stream of events: its normal life, and what is planted in it."""

from collections.abc import Iterator, Sequence
from random import Random

from benchmarks.quality.arrivals import Block, arrivals, blocks_of, sliced
from benchmarks.quality.plantings import Conditions, Planting
from benchmarks.quality.profiles import Profile, Stream
from benchmarks.quality.sessions import Session
from streamer.events.usage import UsageEvent

# Agents that hand a task to each other in a ring.
RING = ("planner", "worker", "reviewer")


def events_of(profile: Profile, plantings: Sequence[Planting] = ()) -> list[UsageEvent]:
    """Make all events of a tenant, sorted by time; the same each time, in any process."""
    made: list[UsageEvent] = []
    for stream in profile.streams:
        conditions = Conditions(stream, plantings)
        heard = (event for event in _life(profile, stream, conditions) if not conditions.silent(event.time.timestamp()))
        made += heard
    for planting in plantings:
        if planting.kind == "loop":
            made += _looping(profile, planting)
    return sorted((event for event in made if event.time.timestamp() < profile.end), key=lambda event: event.time)


def name_of(stream: Stream) -> str:
    """Name a stream within its tenant."""
    return f"{stream.use_case}.{stream.agent}"


def session_blocks(profile: Profile, stream: Stream) -> list[Block]:
    """Give the rates at which a stream's sessions begin."""
    return blocks_of(profile, name_of(stream), stream.requests_per_second / stream.steps)


def _life(profile: Profile, stream: Stream, conditions: Conditions) -> Iterator[UsageEvent]:
    blocks = session_blocks(profile, stream)
    yield from _sessions(profile, stream, conditions, "s", blocks)
    for number, planting in enumerate(conditions.more()):
        more = [
            block._replace(rate=block.rate * (planting.at((block.start + block.end) / 2) - 1))
            for block in sliced(blocks, planting.start, planting.end)
        ]
        yield from _sessions(profile, stream, conditions, f"x{number}", more)


def _sessions(
    profile: Profile, stream: Stream, conditions: Conditions, mark: str, blocks: Sequence[Block]
) -> Iterator[UsageEvent]:
    prefix = f"{name_of(stream)}-{mark}"
    for number, at in enumerate(arrivals(Random(f"{profile.seed}/{prefix}"), blocks)):
        session = Session(profile.tenant, stream, f"{prefix}{number}", profile.seed, conditions)
        yield from session.events(at)


def _looping(profile: Profile, planting: Planting) -> Iterator[UsageEvent]:
    stream = next(stream for stream in profile.streams if planting.concerns(stream))
    session = Session(profile.tenant, stream, planting.session, profile.seed, Conditions(stream, ()))
    yield from session.loop(planting, RING if planting.variant == "ring" else ())
