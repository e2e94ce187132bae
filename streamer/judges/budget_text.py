"""What is said of a budget: how much is used up, how fast, and when it is exhausted."""

from decimal import Decimal

from detectors import BudgetDetector
from streamer.clock import utc
from streamer.config import BudgetConfig
from streamer.periods import tells_the_end, title

_UNITS = {"tokens": "tokens", "steps": "agent steps", "tool_calls": "tool calls"}
_DAY = 86_400


def reason_of(budget: BudgetConfig, detector: BudgetDetector) -> str:
    """Say what stands: `80% of November's budget of $2,000 is used up on day 12 (soft line); at the pace of ...`."""
    name, limit = title(budget.period, detector.start), _amount(budget)
    day = int((detector.now - detector.start) // _DAY) + 1
    used = f"{detector.spent / detector.terms.limit:.0%}"
    if detector.line == "burn":
        return f"{_burn(name, limit, detector)}; {used} is used up on day {day}{_projection(name, detector)}"
    told = f"{used} of {name}'s budget of {limit} is used up on day {day} ({detector.line} line)"
    return told + (_projection(name, detector) if detector.line == "soft" else "")


def burn_of(detector: BudgetDetector) -> tuple[float, float]:
    """Give what the long window that burns has used up, as a share of the limit, and in times of the even pace."""
    pair = detector.burning
    if pair is None:
        return 0.0, 0.0
    share = detector.spending.within(pair.long, detector.now) / detector.terms.limit
    return share, share * (detector.end - detector.start) / pair.long


def _burn(name: str, limit: str, detector: BudgetDetector) -> str:
    share, times = burn_of(detector)
    return (
        f"{share:.1%} of {name}'s budget of {limit} went in {_last(_span(detector))}, {times:.0f} times the even pace"
    )


def _projection(name: str, detector: BudgetDetector) -> str:
    if not tells_the_end(detector.known):
        return ""
    seconds = _span(detector)
    at, pace = detector.exhausted_at(seconds), f"; at the pace of {_last(seconds)}"
    if at >= detector.end:
        return f"{pace} it lasts to the end of {name}"
    moment = utc(at)
    return f"{pace} it is exhausted on {moment.day} {moment:%B}"


def _span(detector: BudgetDetector) -> float:
    """Fast burn is told by the window that shows it, what is used up by the last day."""
    pair = detector.burning
    return pair.long if pair else detector.memory


def _last(seconds: float) -> str:
    hours = round(seconds / 3600)
    return f"the last {hours} hours" if hours > 1 else "the last hour"


def _amount(budget: BudgetConfig) -> str:
    limit = budget.limit.quantize(Decimal("0.01")) if budget.limit % 1 else budget.limit.quantize(Decimal(1))
    if budget.metric == "usd":
        return f"${limit:,f}"
    unit = _UNITS[budget.metric]
    return f"{limit:,f} {unit.removesuffix('s') if limit == 1 else unit}"
