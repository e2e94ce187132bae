"""A plug-in for LiteLLM's proxy: `litellm_settings: {callbacks: [streamer.gateway.litellm.gate]}`.

Before each call it asks the commands in force; after it, it sends the call's usage to Tidegate. The configuration is
that of Tidegate, from the file that TIDEGATE_CONFIG names and from the environment. See docs/litellm.md.
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog
from fastapi import HTTPException
from litellm.integrations.custom_logger import CustomLogger

from alerts.throttle.admission import Decision
from streamer import settings
from streamer.config import Config
from streamer.config.mapping import names_by_format
from streamer.events.hashing import argument_hash
from streamer.gateway.calls import changed, request_of
from streamer.gateway.client import GatewayClient
from streamer.gateway.server import status_of
from streamer.gateway.usage import UsageSink, stripped
from streamer.web.metrics import Metrics

log = structlog.get_logger()
# So long the first call of a process waits for the throttle topic to be read.
_PATIENCE = 5.0
# By this a refusal of ours is known again when LiteLLM logs it as a failed call: it never reached a model.
_MARK = "tidegate_command"


class TidegateGate(CustomLogger):  # type: ignore[misc] # LiteLLM is not where the checks run
    """Refuses, downgrades or lets through what the commands in force bind, and reports what was used."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config, metrics = config, Metrics()
        self._client = GatewayClient(config.kafka, config.gateway, metrics)
        self._sink = UsageSink(config, metrics)
        self._hash = argument_hash(config.events.hash_key.get_secret_value())
        self._names = names_by_format(config.events.mapping)["litellm"]
        self._tasks: list[asyncio.Task[None]] = []

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> dict[str, Any] | None:
        """Ask before a call: raises HTTPException for what may not go through; else gives the call, changed or not."""
        await self._started()
        asked = request_of(data, self._config.events.default_tenant, self._names)
        decision = self._client.decide(asked) if asked else None
        if decision is None or decision.verdict == "allow":
            return None
        if not decision.allowed:
            raise refusal(decision)
        return changed(data, decision)

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Send the usage of a call that was answered."""
        await self._report(kwargs)

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Send that a call failed, unless it was refused here."""
        await self._report(kwargs)

    async def _report(self, kwargs: Mapping[str, Any]) -> None:
        payload = kwargs.get("standard_logging_object")
        if isinstance(payload, dict) and _MARK not in str(payload.get("error_str")):
            await self._started()
            self._sink.add(stripped(payload, self._hash))

    async def _started(self) -> None:
        """Begin to read and to send with the first call, for only then is there a loop to do it in."""
        if self._tasks:
            return
        self._tasks = [asyncio.create_task(part.run()) for part in (self._client, self._sink)]
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._client.caught_up.wait()
        except TimeoutError:
            log.warning("the throttle topic is not read yet; calls go on", outage=self._config.gateway.outage)


def refusal(decision: Decision) -> HTTPException:
    """Give the answer of a call that may not go through: 429 with Retry-After, as clients of models know it."""
    detail = {"error": decision.reason, _MARK: decision.command or decision.verdict, "incident": decision.incident}
    headers = {"Retry-After": str(decision.retry_after)}
    return HTTPException(status_code=status_of(decision), detail=detail, headers=headers)


def _configured() -> Config:
    path = os.environ.get("TIDEGATE_CONFIG")
    return settings.load(Path(path) if path else None)


#: What LiteLLM's configuration names.
gate = TidegateGate(_configured())
