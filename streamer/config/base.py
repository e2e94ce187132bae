"""What all sections of the configuration share."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Level = Literal["tenant", "use_case", "agent", "model"]
AlertLabel = Annotated[
    str, Field(pattern=r"^(tenant|use_case|agent|model|session|tool|kind|severity|line|owner|tag:.+)$")
]
AnomalyKind = Literal["burst", "loop", "drift", "bloat", "mix", "busywork", "budget", "silence"]
Line = Literal["", "burn", "soft", "hard"]


class Section(BaseModel):
    """Base of all sections: unknown keys are mistakes, and nothing changes after the start.

    What concerns several keys is checked at the last of them, where the others are good, so that one mistake does not
    hide another.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
