"""What departments are told of their spend, when and where."""

from datetime import time
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from streamer.config.base import Section


class ShowbackConfig(Section):
    """One showback: of whose spend, to which receiver, for which period, and at what time of whose day."""

    receiver: str
    owner: str = ""
    tenants: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    period: Literal["day", "week"] = "day"
    at: time = time(8)
    zone: str = "UTC"

    @field_validator("zone")
    @classmethod
    def _zone_is_known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{zone!r} is no time zone, such as Europe/Berlin") from None
        return zone

    @property
    def name(self) -> str:
        """What tells it apart from others."""
        owner = (f"owner={self.owner}",) if self.owner else ()
        return "/".join((self.receiver, self.period, *owner, *self.tenants))
