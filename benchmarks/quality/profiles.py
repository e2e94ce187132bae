"""Who the tenants are: use cases, agents, models, sizes and seasons, drawn from a seed."""

from dataclasses import dataclass, field
from random import Random
from typing import Literal, NamedTuple

Size = Literal["small", "medium", "large"]
DAY, HOUR = 86_400.0, 3_600.0
# 2026-06-01, a Monday: no tenant's data leave that month, whose budgets so have one period.
FIRST_DAY = 1_780_272_000.0
# Model requests a second.
RATES: dict[Size, tuple[float, float]] = {"small": (0.01, 0.04), "medium": (0.1, 0.5), "large": (1.0, 2.5)}
_USE_CASES = ("support", "coding", "search", "reports", "sales", "onboarding")
_AGENTS = ("triage", "solver", "writer", "planner", "critic", "fetcher")
_TOOLS = ("read_file", "search_orders", "web_search", "run_query", "send_mail", "get_user", "list_tickets")


class Model(NamedTuple):
    """A model that the price book knows."""

    provider: str
    name: str


# Cheap, then expensive: 8 to 17 times the price.
PAIRS = (
    (Model("openai", "gpt-4o-mini"), Model("openai", "gpt-4o")),
    (Model("openai", "gpt-4.1-mini"), Model("openai", "gpt-4.1")),
    (Model("anthropic", "claude-haiku-4-5"), Model("anthropic", "claude-opus-4-1")),
    (Model("google", "gemini-2.5-flash"), Model("google", "gemini-2.5-pro")),
    (Model("mistral", "mistral-small-latest"), Model("mistral", "mistral-large-latest")),
)


@dataclass(frozen=True, slots=True)
class Stream:
    """What one agent of one use case does. Shares are of 0 to 1; those of outcomes and vector queries are a session."""

    use_case: str
    agent: str
    requests_per_second: float
    models: tuple[Model, Model]
    """Cheap, expensive."""
    dear: float
    """Share of the requests that the expensive model gets."""
    input_median: float
    input_sigma: float
    output_median: float
    cached: float
    """Mean share of the input tokens that the cache answers."""
    steps: float
    """Mean requests a session."""
    tools: tuple[str, ...]
    tool_share: float
    vector: float
    evaluated: float
    outcomes: float
    errors: float


@dataclass(frozen=True, slots=True)
class Profile:
    """A tenant's normal life from `begin` on, for `seconds`. `seed` names all its random numbers."""

    tenant: str
    label: str
    """What it is shown as: its length of history and its size."""
    seed: str
    begin: float
    seconds: float
    streams: tuple[Stream, ...]
    swing: float = 0.0
    """Of the day, as a share of the mean rate."""
    phase: float = 0.0
    weekend: float = 1.0
    """Rate on Saturdays and Sundays, as a share of the other days'."""
    wobble: float = 0.3
    """Standard deviation of the logarithm of the rate, over minutes."""
    gap_cv: float = 1.2
    """Coefficient of variation of the seconds between arrivals."""
    trace: tuple[tuple[float, float], ...] = field(default=(), repr=False)
    """Rate (as a share of the mean) and `gap_cv` by 600 s, where both are a real client's."""

    @property
    def end(self) -> float:
        """Where the data end, epoch seconds."""
        return self.begin + self.seconds


def draw_profile(
    tenant: str, label: str, seed: str, *, seconds: float, size: Size, rate: float | None = None, swing: float = 0.5
) -> Profile:
    """Draw a tenant; `rate` (requests a second) is instead of one of its size.

    `swing` is the most that a day swings, and weekends are the quieter the larger it is.
    """
    random = Random(f"{seed}/{tenant}/profile")
    low, high = RATES[size]
    rate = rate or low * (high / low) ** random.random()
    begin = FIRST_DAY + random.uniform(0, 14) * DAY // 600 * 600
    return Profile(
        tenant=tenant,
        label=label,
        seed=f"{seed}/{tenant}",
        begin=begin,
        seconds=seconds,
        streams=tuple(_streams(random, size, rate)),
        swing=random.uniform(0.2, 1.0) * swing,
        phase=random.random(),
        weekend=1 - random.uniform(0, 0.75) * swing,
        wobble=random.uniform(0.1, 0.3),
        gap_cv=random.uniform(0.9, 1.6),
    )


def _streams(random: Random, size: Size, rate: float) -> list[Stream]:
    names = random.sample(_USE_CASES, random.randint(1, 2 if size == "small" else 4))
    pairs = [(name, agent) for name in names for agent in random.sample(_AGENTS, _agents(random, size))]
    weights = [random.uniform(0.5, 2.0) for _ in pairs]
    # A use case's outcomes are counted for its agents alike.
    outcomes = {name: random.choice((0.0, 0.7, 0.9)) for name in names}
    return [
        _stream(random, use_case, agent, rate * weight / sum(weights), outcomes[use_case])
        for (use_case, agent), weight in zip(pairs, weights, strict=True)
    ]


def _agents(random: Random, size: Size) -> int:
    return random.randint(1, 1 if size == "small" else 3)


def _stream(random: Random, use_case: str, agent: str, rate: float, outcomes: float) -> Stream:
    return Stream(
        use_case=use_case,
        agent=agent,
        requests_per_second=rate,
        models=random.choice(PAIRS),
        dear=random.choice((0.0, 0.05, 0.2)),
        input_median=random.lognormvariate(7.3, 0.6),
        input_sigma=random.uniform(0.6, 1.1),
        output_median=random.lognormvariate(5.0, 0.6),
        cached=random.choice((0.0, 0.5, 0.7)),
        steps=random.uniform(1.5, 5.0),
        tools=tuple(random.sample(_TOOLS, random.randint(2, 4))),
        tool_share=random.uniform(0.2, 0.7),
        vector=random.choice((0.0, 0.3)),
        evaluated=random.choice((0.0, 0.0, 0.1)),
        outcomes=outcomes,
        errors=random.uniform(0.0, 0.03),
    )
