"""The demo's gateway: asks Tidegate's client about every request of the traffic."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from alerts.throttle.admission import Request
from alerts.throttle.command import Command
from streamer.config import GatewayConfig, KafkaConfig
from streamer.gateway.client import GatewayClient

NAME = "demo-gateway"


class Gateway:
    """Reads the throttle topic and obeys it; `heard` is told each command that is news."""

    def __init__(self, kafka: KafkaConfig, heard: Callable[[Command], None]) -> None:
        self._client = GatewayClient(kafka, GatewayConfig(name=NAME), heard=heard)

    async def run(self) -> None:
        """Obey until cancelled."""
        await self._client.run()

    def admits(self, event: Mapping[str, Any]) -> bool:
        """Tell whether the request behind `event` goes through, now."""
        return self._client.decide(request_of(event)).allowed

    @property
    def refused(self) -> Counter[str]:
        """Refused requests by the scope's key of the command."""
        return self._client.admission.refused


def request_of(event: Mapping[str, Any]) -> Request:
    """Give the request behind a usage event."""
    names = ("tenant", "use_case", "agent", "session", "model", "tool")
    return msgspec.convert({name: event.get(name, "") for name in names}, Request)
