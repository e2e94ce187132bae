"""Budgets: some that are used up within the data, some that burn too fast, and some that are ample."""

from decimal import Decimal
from random import Random

from benchmarks.quality.background import events_of
from benchmarks.quality.plantings import Planting
from benchmarks.quality.profiles import DAY, Profile
from streamer.config import BudgetConfig
from streamer.events.usage import UsageEvent
from streamer.pricing.book import PriceBook
from streamer.pricing.money import dollars

_MONTH = 30 * DAY
# Of all that the data spend, where a budget is to be used up within them.
_WITHIN = 0.5


def planted(profile: Profile, variant: str, factor: float, random: Random) -> tuple[list[Planting], list[BudgetConfig]]:
    """Give a budget and its label: `lines` are crossed in the data; `burn` exhausts it `factor` times too soon.

    `spare` is one that lasts, and has no label. A label is `certain` where its soft line is crossed.
    """
    metric, events = random.choice(("usd", "tokens")), events_of(profile)
    amounts = _amounts(events, metric)
    total = sum(amounts, Decimal(0))
    limit = total * Decimal(_WITHIN)
    if variant != "lines":
        limit = total * Decimal(_MONTH / profile.seconds / factor)
    budget = BudgetConfig.model_validate({"tenant": profile.tenant, "metric": metric, "limit": round(limit, 6)})
    if variant == "spare":
        return [], [budget]
    certain = _crossed(events, amounts, budget.limit * budget.soft) if variant == "lines" else 0.0
    return [Planting("budget", variant, factor, profile.tenant, profile.begin, profile.end, certain=certain)], [budget]


def _amounts(events: list[UsageEvent], metric: str) -> list[Decimal]:
    prices = PriceBook()
    return [dollars(prices.cost(event)[0]) if metric == "usd" else Decimal(event.tokens) for event in events]


def _crossed(events: list[UsageEvent], amounts: list[Decimal], line: Decimal) -> float:
    spent = Decimal(0)
    for event, amount in zip(events, amounts, strict=True):
        spent += amount
        if spent >= line:
            return event.time.timestamp()
    raise ValueError(f"{line} is never spent")
