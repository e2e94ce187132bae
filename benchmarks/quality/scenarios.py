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
_LARGE_HOURS = (1.5, 2.0)
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
    size: Size | Literal["client"]
    planted: tuple[str, ...] = ()
    rate: float | None = None
    quick: bool = False


ROSTER = (
    # two days: seasons can be learned
    Spec("long", "small", ("burst step 10", "busywork none", "loop identical")),
    Spec("long", "small", ("bloat tokens 4", "drift requests 4")),
    Spec("long", "small", ("mix model", "loop pair")),
    Spec("long", "small"),
    Spec("long", "medium", ("burst step 5", "mix cache", "silence tenant"), rate=0.045),
    Spec("long", "medium", ("bloat tokens 8", "drift tokens 2.5"), rate=0.045),
    Spec("long", "medium", rate=0.045),
    Spec("long", "client", rate=0.04),
    # half a day
    Spec("mid", "medium", ("drift requests 2.5",), rate=0.1, quick=True),
    Spec("mid", "medium", ("drift requests 8",), rate=0.05),
    Spec("mid", "medium", ("drift requests 1.5",), rate=0.1),
    Spec("mid", "medium", ("drift tokens 4",), rate=0.05, quick=True),
    Spec("mid", "small", ("drift tokens 8",)),
    Spec("mid", "medium", ("drift tokens 1.5",), rate=0.1),
    Spec("mid", "medium", ("busywork tenth", "silence use_case"), rate=0.1, quick=True),
    Spec("mid", "medium", ("mix evaluation", "busywork none"), rate=0.1),
    Spec("mid", "small", ("budget burn 14",), quick=True),
    Spec("mid", "small", ("budget burn 6",)),
    Spec("mid", "small", ("budget burn 3",)),
    Spec("mid", "small", ("budget spare 0.3",), quick=True),
    Spec("mid", "medium", rate=0.1, quick=True),
    Spec("mid", "small"),
    Spec("mid", "small"),
    Spec("mid", "client", rate=0.1),
    # hours
    Spec("short", "large", ("burst step 3", "loop ring"), rate=1.2),
    Spec("short", "large", ("burst step 5", "bloat tokens 4"), rate=2.0, quick=True),
    Spec("short", "large", ("burst step 10", "silence tenant"), rate=1.0),
    Spec("short", "large", ("silence agent", "bloat tokens 2"), rate=1.0),
    Spec("short", "large", ("mix model",), rate=1.0),
    Spec("short", "large", rate=1.5),
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
    Spec("short", "medium", rate=0.1),
    Spec("short", "medium"),
    Spec("short", "medium"),
    Spec("short", "small", ("bloat tokens 4", "loop pair"), quick=True),
    Spec("short", "small", ("loop ring",), quick=True),
    Spec("short", "small"),
    Spec("short", "small"),
    Spec("short", "small"),
    Spec("short", "client", ("burst step 5", "loop growing"), rate=0.4),
    Spec("short", "client", ("bloat tokens 4",), rate=0.2),
    Spec("short", "client", rate=0.2, quick=True),
    Spec("short", "client", rate=0.2),
    Spec("short", "client", rate=0.2),
)


def scenarios(seed: int, *, quick: bool = False, first: bool = True) -> Iterator[Scenario]:
    """Give the scenarios of one seed; the `first` seed of a run also has the traces that no seed changes."""
    for number, spec in enumerate(ROSTER):
        if (spec.quick or not quick) and (spec.size != "client" or traces.clients()):
            yield _planted(seed, number, spec)
    for tenant, events in traces.whole() if first else ():
        begin, end = events[0].time.timestamp(), events[-1].time.timestamp()
        yield Scenario(tenant, "real trace", begin, end, (), (), partial(list, events))


def _planted(seed: int, number: int, spec: Spec) -> Scenario:
    """Draw a tenant again and again until all that is to be planted has its place."""
    tenant = f"{seed}-{number:02d}-{spec.history}-{spec.size}"
    return next(found for attempt in count() if (found := _attempted(f"{seed}/{attempt}", tenant, spec)))


def _attempted(seed: str, tenant: str, spec: Spec) -> Scenario | None:
    random = Random(f"{seed}/{tenant}/plan")
    recipes = [placing.Recipe.read(text) for text in spec.planted]
    durations = [recipe.duration(random, spec.history) for recipe in recipes]
    hours = random.uniform(*(_LARGE_HOURS if spec.size == "large" else _HOURS[spec.history]))
    seconds = max(hours * HOUR, placing.room(durations, spec.history)) // 600 * 600 + 600
    profile = _profile(seed, tenant, spec, seconds)
    if not placing.suits(profile, recipes):
        return None
    profile, plantings, budgets = placing.placed(profile, recipes, durations, spec.history, random)
    if not placing.fits(plantings):
        return None
    scenario = _scenario(profile, plantings, budgets)
    return scenario if placing.shows(plantings, scenario.events()) else None


def _scenario(profile: Profile, plantings: Sequence[Planting], budgets: Sequence[BudgetConfig]) -> Scenario:
    return Scenario(
        tenant=profile.tenant,
        label=profile.label,
        begin=profile.begin,
        end=profile.end,
        plantings=tuple(plantings),
        budgets=tuple(budgets),
        events=partial(events_of, profile, plantings),
    )


def _profile(seed: str, tenant: str, spec: Spec, seconds: float) -> Profile:
    """Draw a tenant; one that is a client is asked as often as a production client, thinned."""
    client, swing = spec.size == "client", _SWING[spec.history]
    size: Size = "medium" if spec.size == "client" else spec.size
    label = f"{spec.history} {spec.size}"
    profile = draw_profile(tenant, label, seed, seconds=seconds, size=size, rate=spec.rate, swing=swing)
    return traces.as_client(profile) if client else profile
