"""Real traffic: the example traces as they are, and production clients' rates as a tenant's."""

import math
import runpy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import msgspec

from benchmarks.quality.arrivals import STEP, client_rates
from benchmarks.quality.profiles import Profile
from streamer.events.usage import UsageEvent

_ROOT = Path(__file__).parents[2]
FOLDER = _ROOT.parent / "shared" / "data" / "traces"
EPISODES = "airline"
_FILES = ("azure_llm_2023_code.csv", "mooncake_conversation.csv", "taubench_airline_gpt4o.jsonl")


def whole() -> Iterator[tuple[str, list[UsageEvent]]]:
    """Give the tenants of the traces with their events; none where the traces are not at hand."""
    events_of = runpy.run_path(str(_ROOT / "examples" / "trace_events.py"))["events_of"]
    for path in (FOLDER / name for name in _FILES):
        if path.exists():
            events = [msgspec.convert(fields, UsageEvent) for fields in events_of(path)]
            yield events[0].tenant, events


def clients() -> list[Path]:
    """List the production clients; none where they are not at hand."""
    return sorted((FOLDER / "servegen").glob("*.csv"))


def as_client(profile: Profile) -> Profile:
    """Let a tenant be asked as often as a production client, over a span in which that does not pause, but thinned."""
    random, steps = Random(f"{profile.seed}/client"), math.ceil(profile.seconds / STEP)
    rate = sum(stream.requests_per_second for stream in profile.streams)
    while True:
        if trace := client_rates(random.choice(clients()), steps, random, rate):
            return replace(profile, trace=trace)
