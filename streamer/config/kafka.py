"""How Kafka is reached."""

import re
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from streamer.config.base import Positive, Section

_ADDRESS = r"(\[[0-9a-fA-F:.]+\]|[^\s:/\[\],]+)(:\d{1,5})?"


class KafkaConfig(Section):
    """How Kafka is reached, and which topics are used."""

    bootstrap: str = "127.0.0.1:9092"
    topic_prefix: str = "tidegate."
    group: str = "tidegate"
    partitions: Annotated[int, Field(ge=1)] = 4
    replication: Annotated[int, Field(ge=1)] = 1
    create_topics: bool = True
    retention_hours: Positive = 168.0
    idempotence: bool = True
    connect_seconds: Positive = 30.0
    checkpoint_seconds: Positive = 1.0
    session_timeout_seconds: Positive = 30.0
    rebalance_timeout_seconds: Positive = 30.0
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str = ""
    sasl_password: SecretStr = SecretStr("")
    ssl_cafile: str = ""
    ssl_certfile: str = ""
    ssl_keyfile: str = ""

    @field_validator("bootstrap")
    @classmethod
    def _bootstrap_is_addresses(cls, bootstrap: str) -> str:
        for address in bootstrap.split(","):
            if not re.fullmatch(_ADDRESS, address.strip()):
                raise ValueError(f"{address.strip()!r} is no address of a broker: host:port")
        return bootstrap

    @field_validator("sasl_username")
    @classmethod
    def _sasl_has_a_user(cls, username: str, others: ValidationInfo) -> str:
        if others.data.get("security_protocol", "").startswith("SASL") and not username:
            raise ValueError("security_protocol asks for SASL, but sasl_username is empty")
        return username
