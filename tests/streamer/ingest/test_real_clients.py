"""Clients as people use them: instrumented programs and the CloudEvents SDK, against the front door on loopback."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cloudevents.core.bindings.http import HTTPMessage, to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from openai import OpenAI
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

from streamer.clock import wall
from streamer.events.decoder import Decoder
from streamer.events.usage import UsageEvent
from tests.streamer.ingest.door import TOPIC, Door, opened

PROMPT = "xyzzy-private-words"
CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": f'{{"q": "{PROMPT}"}}'}}
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1795305600,
    "model": "gpt-4o-2024-08-06",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {"role": "assistant", "content": PROMPT, "tool_calls": [CALL]},
        }
    ],
    "usage": {
        "prompt_tokens": 1200,
        "completion_tokens": 40,
        "total_tokens": 1240,
        "prompt_tokens_details": {"cached_tokens": 1024},
        "completion_tokens_details": {"reasoning_tokens": 8},
    },
}
VECTORS = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
    "model": "text-embedding-3-small",
    "usage": {"prompt_tokens": 18, "total_tokens": 18},
}


class Loopback:
    """The front door, and a stand-in for OpenAI."""

    def __init__(self, door: Door) -> None:
        self.door = door
        app = web.Application()
        app.router.add_post("/openai/chat/completions", self._chat)
        app.router.add_post("/openai/embeddings", self._embeddings)
        self.openai = TestServer(app)

    def url(self, path: str) -> str:
        return str(self.openai.make_url(path)) if path == "/openai" else f"http://127.0.0.1:{self.door.port}{path}"

    def events(self) -> list[UsageEvent]:
        found = [Decoder().decode(value or b"", wall())[0] for value in self.door.producer.values(TOPIC)]
        assert all(isinstance(item, UsageEvent) for item in found)
        return [item for item in found if isinstance(item, UsageEvent)]

    async def _chat(self, request: web.Request) -> web.Response:
        if (await request.json())["model"] == "gpt-none":
            return web.json_response({"error": {"message": PROMPT, "type": "invalid_request_error"}}, status=404)
        return web.json_response(ANSWER)

    async def _embeddings(self, request: web.Request) -> web.Response:
        return web.json_response(VECTORS)


@pytest.fixture
async def loopback() -> AsyncIterator[Loopback]:
    async with opened() as door:
        made = Loopback(door)
        async with made.openai:
            yield made


@pytest.fixture(params=["no_content", "span_only"])
def provider(
    request: pytest.FixtureRequest, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TracerProvider]:
    """A tracer provider as a program sets it up, with prompts in the spans and without; openai is instrumented."""
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_latest_experimental")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", request.param)
    provider = TracerProvider(resource=Resource.create({"service.name": "helpdesk", "tenant.id": "acme"}))
    compression = Compression.Gzip if request.param == "span_only" else Compression.NoCompression
    exporter = OTLPSpanExporter(loopback.url("/v1/traces"), compression=compression)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    instrumentor = OpenAIInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    yield provider
    instrumentor.uninstrument()
    provider.shutdown()


def work(loopback: Loopback, provider: TracerProvider) -> None:
    """What a program does: an agent that calls a model three times, once in vain, and a tool."""
    client = OpenAI(base_url=loopback.url("/openai"), api_key="k", max_retries=0)
    tracer = provider.get_tracer("helpdesk")
    agent = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "triage",
        "gen_ai.conversation.id": "conv-1",
        "gen_ai.usage.input_tokens": 1200,
    }
    with client, tracer.start_as_current_span("invoke_agent triage", kind=SpanKind.INTERNAL, attributes=agent):
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": PROMPT}])
        tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_weather"}
        arguments = {"gen_ai.tool.call.arguments": f'{{"q": "{PROMPT}"}}'}
        with tracer.start_as_current_span("execute_tool get_weather", attributes={**tool, **arguments}):
            client.embeddings.create(model="text-embedding-3-small", input=PROMPT)
        with pytest.raises(Exception, match="404"):
            client.chat.completions.create(model="gpt-none", messages=[{"role": "user", "content": PROMPT}])
    assert provider.force_flush()


async def test_an_instrumented_agent_is_metered_by_its_spans(loopback: Loopback, provider: TracerProvider) -> None:
    await asyncio.to_thread(work, loopback, provider)
    events = loopback.events()
    chat, vectors, tool, failed = (
        next(event for event in events if (event.kind, event.model, event.tool)[place] == name)
        for place, name in ((1, "gpt-4o-2024-08-06"), (1, "text-embedding-3-small"), (0, "tool"), (1, "gpt-none"))
    )
    assert len(events) == 4
    assert (chat.provider, chat.input_tokens, chat.output_tokens) == ("openai", 1200, 40)
    assert (chat.cache_read_tokens, chat.reasoning_tokens, chat.requests, chat.steps) == (1024, 8, 1, 1)
    assert (vectors.input_tokens, vectors.steps) == (18, 0)
    assert (tool.kind, tool.tool, tool.tool_calls, len(tool.tool_args_hash)) == ("tool", "get_weather", 1, 32)
    assert (failed.status, failed.tokens, failed.requests) == ("error", 0, 1)
    for event in events:
        owners = (event.tenant, event.use_case, event.agent, event.session)
        assert owners == ("acme", "helpdesk", "triage", "conv-1")
        assert PROMPT not in repr(event)


def cloud_event(number: int) -> CloudEvent:
    attributes = {
        "id": f"evt-{number}",
        "source": "/agents/plänner",
        "type": "com.example.llm.call",
        "time": datetime(2026, 11, 21, tzinfo=UTC),
        "specversion": "1.0",
        "datacontenttype": "application/json",
        "tenant": "acme",
        "agent": "planner",
    }
    return CloudEvent(attributes, {"model": "gpt-4o", "input_tokens": number, "prompt": PROMPT})


@pytest.mark.parametrize("spell", [to_structured, to_binary])
async def test_the_cloudevents_sdk_is_understood_in_both_its_modes(loopback: Loopback, spell: Any) -> None:
    message: HTTPMessage = spell(cloud_event(7), JSONFormat())
    async with (
        aiohttp.ClientSession() as session,
        session.post(loopback.url("/v1/events"), data=message.body, headers=message.headers) as answer,
    ):
        assert answer.status == 202
    (event,) = loopback.events()
    assert (event.id, event.source, event.tenant, event.agent) == ("evt-7", "/agents/plänner", "acme", "planner")
    assert (event.model, event.input_tokens, event.requests) == ("gpt-4o", 7, 1)
    assert PROMPT not in repr(event)
