"""What comes in, how it is put into windows, and what it costs."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field, SecretStr

from streamer.config.base import NotNegative, Positive, Section
from streamer.config.mapping import MappingConfig


class EventsConfig(Section):
    """What the front door accepts."""

    max_record_bytes: Annotated[int, Field(gt=0)] = 8 << 20
    max_future_seconds: NotNegative = 300.0
    duplicate_span_seconds: Positive = 3600.0
    max_ids: Annotated[int, Field(ge=4096)] = 1_000_000
    default_tenant: str = ""
    hash_key: SecretStr = SecretStr("")
    mapping: MappingConfig = Field(default={})


class WindowsConfig(Section):
    """Event time."""

    size_seconds: Positive = 10.0
    lateness_seconds: NotNegative = 5.0
    grace_seconds: NotNegative = 5.0
    max_entities: Annotated[int, Field(ge=10)] = 10_000


class PricingConfig(Section):
    """Dollars per unit of what is not priced by tokens."""

    tool: Annotated[Decimal, Field(ge=0)] | None = None
    vector: Annotated[Decimal, Field(ge=0)] | None = None
    evaluation: Annotated[Decimal, Field(ge=0)] | None = None
    human_review: Annotated[Decimal, Field(ge=0)] | None = None
    saas: Annotated[Decimal, Field(ge=0)] | None = None

    def units(self) -> dict[str, Decimal]:
        """Give the prices that are set."""
        return {name: price for name, price in self if price is not None}


class IngestConfig(Section):
    """The HTTP front door."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8088
    max_body_bytes: Annotated[int, Field(gt=0)] = 8 << 20
