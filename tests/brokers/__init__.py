"""The brokers that the integration tests run against."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Broker:
    """What the `broker` fixture hands to a test: embedded or apache, and where it listens."""

    name: str
    bootstrap: str
