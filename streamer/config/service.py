"""What a process of Tidegate shows of itself."""

from typing import Annotated, Literal

from pydantic import Field

from streamer.config.base import Section


class WebConfig(Section):
    """Health and metrics of the worker."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 6066


class LogConfig(Section):
    """Structured logs on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"
