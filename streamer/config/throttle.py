"""Commands to gateways."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from alerts.throttle.command import MOST_LIFE, mistake_of_params
from streamer.config.base import AnomalyKind, Line, NotNegative, Section

ScopeLevel = Literal["session", "agent", "use_case", "tenant"]


class PolicyConfig(Section):
    """Which anomaly leads to which action on which scope."""

    kind: AnomalyKind
    line: Line = ""
    scope: ScopeLevel = "session"
    action: Literal["limit_rate", "cap_steps", "downgrade_model", "block_tool", "pause"]
    mode: Literal["suggest", "enforce"] = "suggest"
    params: dict[str, int | str] = Field(default_factory=dict)
    expires_seconds: Annotated[float, Field(gt=0, le=MOST_LIFE)] = 900.0
    escalate_seconds: NotNegative = 120.0
    widest: ScopeLevel = "agent"

    @field_validator("line")
    @classmethod
    def _only_budgets_have_lines(cls, line: Line, others: ValidationInfo) -> Line:
        if line and others.data.get("kind", "budget") != "budget":
            raise ValueError("only a policy for kind budget can name a line")
        return line

    @field_validator("params")
    @classmethod
    def _actions_have_their_params(cls, params: dict[str, int | str], others: ValidationInfo) -> dict[str, int | str]:
        action = others.data.get("action", "pause")
        # The tool to block may be left to the anomaly to name.
        mistake = "" if action == "block_tool" and not params else mistake_of_params(action, params)
        if mistake:
            raise ValueError(mistake)
        return params


class ThrottleConfig(Section):
    """Commands to gateways."""

    enabled: bool = True
    policies: tuple[PolicyConfig, ...] = ()
    critical_tenants: tuple[str, ...] = ()
    hold_seconds: NotNegative = 60.0
    cool_down_seconds: NotNegative = 300.0
    tombstone_seconds: NotNegative = 300.0
    max_live: Annotated[int, Field(ge=1)] = 100
