"""What a gateway's own side is told: `tidegate gateway` and the plug-in for LiteLLM."""

from typing import Annotated, Literal

from pydantic import Field

from streamer.config.base import NotNegative, Positive, Section


class GatewayConfig(Section):
    """The gateway that this process is, or answers for."""

    name: Annotated[str, Field(max_length=256)] = ""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8089
    outage: Literal["open", "closed"] = "open"
    outage_seconds: Positive = 60.0
    check_seconds: Positive = 5.0
    clock_tolerance_seconds: NotNegative = 30.0
    usage: Literal["kafka", "http", "none"] = "kafka"
    usage_url: str = "http://127.0.0.1:8088/v1/events"
