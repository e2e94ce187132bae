"""What comes in, and how it is put into windows."""

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
    told_elsewhere: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    remote_agents: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    tags: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    mapping: MappingConfig = Field(default={})


class WindowsConfig(Section):
    """Event time."""

    size_seconds: Positive = 10.0
    lateness_seconds: NotNegative = 5.0
    grace_seconds: NotNegative = 5.0
    stagger_seconds: NotNegative = 4.0
    max_entities: Annotated[int, Field(ge=10)] = 10_000
