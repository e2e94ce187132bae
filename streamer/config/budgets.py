"""Budgets."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from streamer.config.base import Section
from streamer.periods import PeriodName
from streamer.windows.entity import quote


class BurnConfig(Section):
    """A budget burns too fast if both windows use it up at `factor` times the even pace, the long one also `share`."""

    long_seconds: Annotated[float, Field(ge=300, le=86_400)]
    short_seconds: Annotated[float, Field(ge=300, le=7200)]
    factor: Annotated[float, Field(gt=1)]
    share: Annotated[float, Field(gt=0, lt=1)]


# The windows of the Site Reliability Workbook's chapter 5, the slow ones other for the sake of working weeks:
# docs/decisions/0009.
_BURN = (
    BurnConfig(long_seconds=3600, short_seconds=300, factor=14.4, share=0.02),
    BurnConfig(long_seconds=21_600, short_seconds=1800, factor=6, share=0.05),
    BurnConfig(long_seconds=43_200, short_seconds=7200, factor=3, share=0.05),
    BurnConfig(long_seconds=86_400, short_seconds=7200, factor=2, share=0.05),
)


class BudgetConfig(Section):
    """One budget: what a tenant, or one of its use cases, may use up in a calendar month or quarter (UTC)."""

    tenant: Annotated[str, Field(min_length=1)]
    use_case: str = ""
    metric: Literal["usd", "tokens", "steps", "tool_calls"] = "usd"
    period: PeriodName = "month"
    limit: Annotated[Decimal, Field(gt=0)]
    soft: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.8")
    burn: tuple[BurnConfig, ...] = _BURN

    @property
    def series(self) -> str:
        """The series that anomalies of this budget are about."""
        use_case = f"/use_case={quote(self.use_case)}" if self.use_case else ""
        period = "" if self.period == "month" else f"-{self.period}"
        return f"tenant={quote(self.tenant)}{use_case}#budget-{self.metric}{period}"
