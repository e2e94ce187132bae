"""The scenarios of a seed: which tenants there are, and what is planted where. The roster is fixed, all else drawn."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from random import Random
from typing import Literal, NamedTuple

from benchmarks.quality import placing, traces
from benchmarks.quality.background import events_of
from benchmarks.quality.plantings import Planting
from benchmarks.quality.profiles import DAY, HOUR, Profile, Size, draw_profile
from streamer.config import BudgetConfig
from streamer.events.usage import UsageEvent

History = Literal["long", "mid", "short"]
# Hours of data (from, to), and how much a day may swing: where there is too little to learn a day from, not much.
_HOURS: dict[History, tuple[float, float]] = {"long": (48, 52), "mid": (12, 16), "short": (2, 6)}
_SWING: dict[History, float] = {"long": 0.8, "mid": 0.3, "short": 0.4}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One tenant with its labels. `events` makes its stream anew each time it is called."""

    tenant: str
    label: str
    begin: float
    end: float
    plantings: tuple[Planting, ...]
    budgets: tuple[BudgetConfig, ...]
    events: Callable[[], Sequence[UsageEvent]]

    @property
    def days(self) -> float:
        """How long it is watched."""
        return (self.end - self.begin) / DAY


class Spec(NamedTuple):
    """One line of the roster: history, size, what is planted (in order of time), requests a second if not its size's.

    `quick` ones are part of the quick form.
    """

    history: History
    size: Size
    planted: tuple[str, ...] = ()
    rate: float | None = None
    quick: bool = False


ROSTER = (
    # two days: seasons can be learned
    Spec("long", "small", ("burst step 10", "busywork none", "loop identical")),
    Spec("long", "small", ("bloat tokens 4", "drift requests 4")),
    Spec("long", "small", ("mix model", "loop pair")),
    Spec("long", "medium", ("burst step 5", "mix cache", "silence tenant"), rate=0.06),
    Spec("long", "medium", ("bloat tokens 8", "drift tokens 2.5"), rate=0.06),
    Spec("long", "small"),
    Spec("long", "small"),
    Spec("long", "medium", rate=0.06),
    # half a day
    Spec("mid", "medium", ("drift requests 2.5",), rate=0.15, quick=True),
    Spec("mid", "medium", ("drift requests 8",), rate=0.06),
    Spec("mid", "medium", ("drift requests 1.5",), rate=0.15),
    Spec("mid", "medium", ("drift tokens 4",), rate=0.06, quick=True),
    Spec("mid", "small", ("drift tokens 8",)),
    Spec("mid", "medium", ("drift tokens 1.5",), rate=0.15),
    Spec("mid", "medium", ("busywork tenth", "silence use_case"), rate=0.15, quick=True),
    Spec("mid", "medium", ("mix evaluation", "busywork none"), rate=0.15),
    Spec("mid", "small", ("budget burn 14",), quick=True),
    Spec("mid", "small", ("budget burn 6",)),
    Spec("mid", "small", ("budget burn 3",)),
    Spec("mid", "small", ("budget spare 0.3",), quick=True),
    Spec("mid", "medium", rate=0.15, quick=True),
    Spec("mid", "small"),
    # hours
    Spec("short", "large", ("burst step 3", "loop ring"), quick=True),
    Spec("short", "large", ("silence agent", "bloat tokens 2"), rate=1.2),
    Spec("short", "large", ("silence tenant", "mix model"), rate=1.0),
    Spec("short", "large"),
    Spec("short", "medium", ("burst step 5", "loop varied"), quick=True),
    Spec("short", "medium", ("burst gradual 5",), quick=True),
    Spec("short", "medium", ("burst step 10", "bloat tokens 4"), quick=True),
    Spec("short", "medium", ("burst gradual 10", "loop triple")),
    Spec("short", "medium", ("burst gradual 3", "silence use_case")),
    Spec("short", "medium", ("bloat tokens 8", "loop growing"), quick=True),
    Spec("short", "medium", ("bloat tokens 2", "silence agent")),
    Spec("short", "medium", ("mix cache", "loop identical"), quick=True),
    Spec("short", "medium", ("mix evaluation",), quick=True),
    Spec("short", "medium", ("mix model",), quick=True),
    Spec("short", "medium", ("busywork none",)),
    Spec("short", "medium", ("silence tenant",), quick=True),
    Spec("short", "medium", ("budget lines",), quick=True),
    Spec("short", "medium", ("budget spare 0.5",)),
    Spec("short", "medium", quick=True),
    Spec("short", "medium"),
    Spec("short", "medium"),
    Spec("short", "small", ("bloat tokens 4", "loop pair"), quick=True),
    Spec("short", "small", ("loop ring",)),
    Spec("short", "small"),
)
_CLIENTS: tuple[tuple[History, int], ...] = (("long", 2), ("short", 4))
# Requests a second.
_CLIENT_RATE = 0.05


def scenarios(seed: int, *, quick: bool = False, first: bool = True) -> Iterator[Scenario]:
    """Give the scenarios of one seed; the `first` seed of a run also has the traces that no seed changes."""
    for number, spec in enumerate(ROSTER):
        if spec.quick or not quick:
            yield _planted(seed, number, spec)
    yield from _clients(seed, quick)
    for tenant, events in traces.whole() if first else ():
        begin, end = events[0].time.timestamp(), events[-1].time.timestamp()
        yield Scenario(tenant, "real trace", begin, end, (), (), partial(list, events))


def _planted(seed: int, number: int, spec: Spec) -> Scenario:
    label = f"{spec.history} {spec.size}"
    tenant = f"{seed}-{number:02d}-{spec.history}-{spec.size}"
    recipes = [placing.Recipe.read(text) for text in spec.planted]
    for attempt in count():
        random = Random(f"{seed}/{tenant}/{attempt}/plan")
        durations = [recipe.duration(random, spec.history) for recipe in recipes]
        least = placing.room(durations, spec.history)
        seconds = max(random.uniform(*_HOURS[spec.history]) * HOUR, least) // 600 * 600 + 600
        name, swing = f"{seed}/{attempt}", _SWING[spec.history]
        profile = draw_profile(tenant, label, name, seconds=seconds, size=spec.size, rate=spec.rate, swing=swing)
        if placing.suits(profile, recipes):
            break
    profile, plantings, budgets = placing.placed(profile, recipes, durations, spec.history, random)
    return _scenario(profile, plantings, budgets)


def _scenario(profile: Profile, plantings: Sequence[Planting] = (), budgets: Sequence[BudgetConfig] = ()) -> Scenario:
    return Scenario(
        tenant=profile.tenant,
        label=profile.label,
        begin=profile.begin,
        end=profile.end,
        plantings=tuple(plantings),
        budgets=tuple(budgets),
        events=partial(events_of, profile, plantings),
    )


def _clients(seed: int, quick: bool) -> Iterator[Scenario]:
    """Clean tenants whose rates are those of production clients, thinned."""
    for history, tenants in _CLIENTS:
        for number in range(tenants if not quick else history == "short"):
            tenant = f"{seed}-client-{history}-{number}"
            random = Random(f"{tenant}/plan")
            steps = round(random.uniform(*_HOURS[history]) * 6)
            if trace := traces.client(random, steps, _CLIENT_RATE):
                yield _scenario(traces.as_profile(tenant, str(seed), trace, _CLIENT_RATE))
