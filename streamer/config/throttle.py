"""Commands to gateways."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from streamer.config.base import AnomalyKind, Line, NotNegative, Positive, Section


class PolicyConfig(Section):
    """Which anomaly leads to which action on which scope."""

    kind: AnomalyKind
    line: Line = ""
    scope: Literal["session", "agent", "use_case", "tenant"] = "agent"
    action: Literal["limit_rate", "cap_steps", "downgrade_model", "block_tool", "pause"]
    mode: Literal["suggest", "enforce"] = "suggest"
    params: dict[str, int | str] = Field(default_factory=dict)
    expires_seconds: Positive = 900.0

    @field_validator("line")
    @classmethod
    def _only_budgets_have_lines(cls, line: Line, others: ValidationInfo) -> Line:
        if line and others.data.get("kind", "budget") != "budget":
            raise ValueError("only a policy for kind budget can name a line")
        return line


class ThrottleConfig(Section):
    """Commands to gateways."""

    enabled: bool = True
    policies: tuple[PolicyConfig, ...] = ()
    hold_seconds: NotNegative = 60.0
    tombstone_seconds: NotNegative = 300.0
    max_live: Annotated[int, Field(ge=1)] = 100
