"""What is agreed about use cases: how far they are, who pays, and what an outcome of theirs may cost."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from streamer.config.base import Section

Stage = Literal["", "idea", "pilot", "production", "retired"]


class UseCaseConfig(Section):
    """One use case of a tenant, for scorecards and chargeback; the detectors do not look at it."""

    tenant: Annotated[str, Field(min_length=1)]
    name: Annotated[str, Field(min_length=1)]
    stage: Stage = ""
    owner: str = ""
    cost_centre: str = ""
    outcome: str = "outcome"
    hypothesis_usd_per_outcome: Annotated[Decimal, Field(gt=0)] | None = None
