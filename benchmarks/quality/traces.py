"""Real traffic: the example traces as they are, and production clients' rates as a tenant's."""

import runpy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import msgspec

from benchmarks.quality.arrivals import client_rates
from benchmarks.quality.profiles import Profile, draw_profile
from streamer.events.usage import UsageEvent

_ROOT = Path(__file__).parents[2]
FOLDER = _ROOT.parent / "shared" / "data" / "traces"
EPISODES = "airline"
_FILES = ("azure_llm_2023_code.csv", "mooncake_conversation.csv", "taubench_airline_gpt4o.jsonl")
_ATTEMPTS = 40


def whole() -> Iterator[tuple[str, list[UsageEvent]]]:
    """Give the tenants of the traces with their events; none where the traces are not at hand."""
    events_of = runpy.run_path(str(_ROOT / "examples" / "trace_events.py"))["events_of"]
    for path in (FOLDER / name for name in _FILES):
        if path.exists():
            events = [msgspec.convert(fields, UsageEvent) for fields in events_of(path)]
            yield events[0].tenant, events


def client(random: Random, steps: int, rate: float) -> tuple[tuple[float, float], ...] | None:
    """Draw one of the production clients and a span of it, of `steps` times 600 s, in which it does not pause."""
    paths = sorted((FOLDER / "servegen").glob("*.csv"))
    for _ in range(_ATTEMPTS if paths else 0):
        if found := client_rates(random.choice(paths), steps, random, rate):
            return found
    return None


def as_profile(tenant: str, seed: str, trace: tuple[tuple[float, float], ...], rate: float) -> Profile:
    """Make a tenant that is asked as often as the client was, thinned to `rate` requests a second."""
    drawn = draw_profile(tenant, "real client", seed, seconds=600.0 * len(trace), size="medium", rate=rate)
    return replace(drawn, trace=trace)
