"""The HTTP front door: where it listens, how much it takes, and who may send."""

from typing import Annotated

from pydantic import Field, field_validator

from streamer.config.base import Positive, Section

Bytes = Annotated[int, Field(gt=0)]


class TokenConfig(Section):
    """Who holds this token may send events of these tenants, `*` for all. Only its SHA-256 is kept."""

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    tenants: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]


class IngestConfig(Section):
    """The HTTP front door."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8088
    max_body_bytes: Bytes = 8 << 20
    max_waiting_bytes: Bytes = 64 << 20
    body_seconds: Positive = 30.0
    kafka_seconds: Positive = 10.0
    tokens: tuple[TokenConfig, ...] = ()

    @field_validator("tokens")
    @classmethod
    def _ids_are_unique(cls, tokens: tuple[TokenConfig, ...]) -> tuple[TokenConfig, ...]:
        if len({token.id for token in tokens}) != len(tokens):
            raise ValueError("two tokens have the same id")
        return tokens
