"""A plug-in for LiteLLM's proxy: `litellm_settings: {callbacks: [streamer.gateway.litellm.gate]}`.

Before each call it asks the commands in force; after it, it sends the call's usage to Tidegate. The configuration is
that of Tidegate, from the file that TIDEGATE_CONFIG names and from the environment. See docs/litellm.md.
"""

import asyncio
import os
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import structlog
from fastapi import HTTPException
from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy._types import ProxyException
from litellm.proxy.litellm_pre_call_utils import LiteLLMProxyRequestSetup, get_chain_id_from_headers

from alerts.throttle.admission import Decision, Request
from streamer import settings
from streamer.config import Config
from streamer.config.mapping import names_by_format
from streamer.events.hashing import argument_hash
from streamer.gateway.calls import changed, request_of, tool_request
from streamer.gateway.client import GatewayClient
from streamer.gateway.server import status_of
from streamer.gateway.sink import UsageSink
from streamer.gateway.usage import stripped
from streamer.web.metrics import Metrics

log = structlog.get_logger()
# So long the first calls of a process wait for the throttle topic to be read.
_PATIENCE = 5.0
# By this a refusal of ours is known again when LiteLLM logs it as a failed call: it never reached a model.
_MARK = "tidegate_command"
# Whose request a task serves: when a tool is called within it, LiteLLM names the tool, but not who asked.
_CALLER: ContextVar[Request | None] = ContextVar("tidegate_caller", default=None)


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
        await self._ready()
        asked = self._asked(data, user_api_key_dict, call_type)
        decision = self._client.decide(asked) if asked else None
        if decision is None or decision.verdict == "allow":
            return None
        if not decision.allowed:
            raise refusal(decision, call_type)
        return changed(data, decision, call_type)

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Send the usage of a call that was answered."""
        await self._report(kwargs)

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Send that a call failed, unless it was refused here."""
        await self._report(kwargs)

    def _asked(self, data: Mapping[str, Any], key: Any, call_type: str) -> Request | None:
        """Say what is to be decided; of a tool's call LiteLLM tells twice over REST, and counted is the call itself."""
        default = self._config.events.default_tenant
        if "mcp_tool_name" not in data:
            asked = request_of(data, default, self._names)
            _CALLER.set(asked)
            return None if call_type == "call_mcp_tool" else asked
        billed = LiteLLMProxyRequestSetup.get_sanitized_user_information_from_key(key)
        session = get_chain_id_from_headers((data.get("metadata") or {}).get("headers")) or ""
        return tool_request(data, _CALLER.get(), key=billed, session=session, default_tenant=default, names=self._names)

    async def _report(self, kwargs: Mapping[str, Any]) -> None:
        payload = kwargs.get("standard_logging_object")
        if isinstance(payload, dict) and _MARK not in str(payload.get("error_str")):
            self._start()
            self._sink.add(stripped(payload, self._hash, self._names))

    async def _ready(self) -> None:
        """Wait for the commands: all calls that come while they are read for the first time, not the first alone."""
        begins = self._start()
        if not await self._client.read_within(_PATIENCE) and begins:
            log.warning("the throttle topic is not read yet; calls go on", outage=self._config.gateway.outage)

    def _start(self) -> bool:
        """Begin to read and to send with the first call, for only then is there a loop to do it in; False if begun."""
        begins = not self._tasks
        if begins:
            self._tasks = [asyncio.create_task(part.run()) for part in (self._client, self._sink)]
        return begins


class _Refused(ProxyException):  # type: ignore[misc] # LiteLLM is not where the checks run
    """A refusal over `/v1/messages`, where LiteLLM drops the headers of an HTTPException."""

    def __str__(self) -> str:
        return f"{self.message} {self.provider_specific_fields}"


def refusal(decision: Decision, call_type: str) -> Exception:
    """Give the answer of a call that may not go through: 429 with Retry-After, as clients of models know it."""
    status, headers = status_of(decision), {"Retry-After": str(decision.retry_after)}
    named = {_MARK: decision.command or decision.verdict, "incident": decision.incident}
    refused: Exception = (
        _Refused(decision.reason, "rate_limit_error", None, status, headers, provider_specific_fields=named)
        if call_type == "anthropic_messages"
        else HTTPException(status_code=status, detail={"error": decision.reason, **named}, headers=headers)
    )
    return refused


def _configured() -> Config:
    path = os.environ.get("TIDEGATE_CONFIG")
    return settings.load(Path(path) if path else None)


#: What LiteLLM's configuration names.
gate = TidegateGate(_configured())
