"""OpenTelemetry's GenAI spans: calls of models and tools, in the conventions' names of today and of yesterday.

Old names are those of the conventions up to 1.36 (`gen_ai.system`), of OpenLLMetry (`llm.*`, `traceloop.*`), of
OpenInference (`llm.token_count.*`), of Vercel's AI SDK (`ai.*`), and what LangSmith, Langfuse, pydantic-ai, Google's
ADK and Semantic Kernel call by names of their own. Input tokens include the cached ones.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from streamer.events.formats.base import Context, Format, Item, Names, Outcome, Unmappable, attempt, words_of
from streamer.events.formats.calls import Call, work_of
from streamer.events.formats.details import spread
from streamer.events.formats.once import Family, Role, Sight
from streamer.events.formats.spans import MESSAGE, Attributes, Span, spans_of
from streamer.events.formats.values import (
    amount,
    count,
    first,
    inclusive,
    is_given,
    listed,
    mapping,
    moment,
    owners,
    text,
    with_reasoning,
)
from streamer.events.formats.vocabulary import vocabulary_of
from streamer.events.rejected import Rejected
from streamer.events.skipped import Skipped

NAMES = Names(
    tenant=(
        *("tidegate.tenant", "tenant.id", "tenant", "tenant_id", "gen_ai.tenant.id", "customer.id", "organization.id"),
        *(
            "traceloop.association.properties.tenant",
            "metadata.user_api_key_team_alias",
            "metadata.user_api_key_team_id",
        ),
        *("team", "team.name", "service.namespace", "service.name"),
    ),
    use_case=(
        *("tidegate.use_case", "use_case", "traceloop.association.properties.use_case"),
        *("gen_ai.workflow.name", "traceloop.workflow.name", "ai.telemetry.functionId"),
        *("langsmith.trace.session_name", "service.name"),
    ),
    agent=(
        *("tidegate.agent", "gen_ai.agent.name", "traceloop.agent.name", "agent.name", "agent_name", "gen_ai.agent.id"),
    ),
    session=(
        *("gen_ai.conversation.id", "session.id", "traceloop.association.properties.session_id"),
        *("langfuse.session.id", "ai.telemetry.metadata.sessionId", "gcp.vertex.agent.session_id"),
        *("langsmith.metadata.session_id", "langsmith.metadata.thread_id", "mcp.session.id"),
    ),
    user=(
        *("user.id", "enduser.id", "gen_ai.user", "llm.user", "traceloop.association.properties.user_id"),
        *("langfuse.user.id", "ai.telemetry.metadata.userId", "langsmith.metadata.user_id"),
        "metadata.user_api_key_user_id",
    ),
    cost=(
        *("gen_ai.cost.total_cost", "gen_ai.usage.cost", "gen_ai.usage.total_cost", "llm.cost.total", "operation.cost"),
        "langfuse.observation.cost_details.total",
    ),
    tier=(
        *("openai.response.service_tier", "gen_ai.openai.response.service_tier", "gen_ai.response.service_tier"),
        *("openai.request.service_tier", "gen_ai.openai.request.service_tier", "gen_ai.request.service_tier"),
    ),
    tags=("service.name", "deployment.environment.name", "deployment.environment", "team"),
)
_USAGE = {
    "input_tokens": (
        *("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens"),
        *("llm.token_count.prompt", "ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens"),
        "gen_ai.response.prompt_tokens",
    ),
    "output_tokens": (
        *("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.usage.completion_tokens"),
        *("llm.token_count.completion", "ai.usage.outputTokens", "ai.usage.completionTokens"),
        "gen_ai.response.completion_tokens",
    ),
    "cache_read_tokens": (
        *("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens"),
        *("gen_ai.usage.cached_tokens", "gen_ai.usage.input_tokens.cached", "llm.usage.cache_read_input_tokens"),
        *("llm.token_count.prompt_details.cache_read", "ai.usage.cachedInputTokens"),
        *("ai.usage.inputTokenDetails.cacheReadTokens", "gen_ai.usage.cached_input_tokens"),
        *("gen_ai.usage.details.cache_read_tokens", "gen_ai.usage.details.cached_tokens"),
        "gen_ai.usage.input_token_details.cache_read",
    ),
    "cache_write_tokens": (
        *("gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens"),
        *("gen_ai.usage.cache_write.input_tokens", "llm.usage.cache_creation_input_tokens"),
        *("gen_ai.usage.cache_write_input_tokens", "llm.token_count.prompt_details.cache_write"),
        *("ai.usage.inputTokenDetails.cacheWriteTokens", "gen_ai.usage.details.cache_write_tokens"),
        "gen_ai.usage.input_token_details.cache_creation",
    ),
    "reasoning_tokens": (
        *("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens", "llm.usage.reasoning_tokens"),
        *("gen_ai.usage.reasoning_output_tokens", "llm.token_count.completion_details.reasoning"),
        *("ai.usage.reasoningTokens", "ai.usage.outputTokenDetails.reasoningTokens"),
        *("gen_ai.usage.details.reasoning_tokens", "gen_ai.usage.output_token_details.reasoning"),
        "gen_ai.usage.experimental.reasoning_tokens",
    ),
}
_TOTAL = ("gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total", "ai.usage.totalTokens")
_OPERATION = (
    *("gen_ai.operation.name", "llm.request.type", "traceloop.span.kind", "openinference.span.kind"),
    *("ai.operationId", "gen_ai.type", "langsmith.span.kind", "langfuse.observation.type"),
)
_MODEL = (
    *("gen_ai.response.model", "gen_ai.request.model", "llm.response.model", "llm.request.model", "llm.model_name"),
    *("ai.response.model", "ai.model.id", "embedding.model_name", "reranker.model_name", "model_name"),
    "langfuse.observation.model.name",
)
_PROVIDER = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "llm.vendor", "ai.model.provider")
# What Vercel's SDK puts behind a provider's name: which of its interfaces is called.
_INTERFACE = re.compile(r"\.(chat|completions?|responses|messages|embeddings?|image|speech|transcription)$")
_TOOL = ("gen_ai.tool.name", "ai.toolCall.name", "mcp.tool.name", "tool.name", "traceloop.entity.name")
_ARGUMENTS = (
    *("gen_ai.tool.call.arguments", "tool_arguments", "ai.toolCall.args", "gcp.vertex.agent.tool_call_args"),
    *("traceloop.entity.input", "input.value", "langfuse.observation.input", "gen_ai.prompt"),
)
_RESPONSE = ("gen_ai.response.id", "ai.response.id")
# How OpenLLMetry and OpenInference begin the names of attributes about an answer's parts.
_ANSWERS = ("gen_ai.completion.", "llm.output_messages.")
_HOST, _PORT = ("server.address", "gen_ai.openai.api_base", "net.peer.name"), ("server.port", "net.peer.port")
_API_KEY = ("metadata.user_api_key_alias", "metadata.user_api_key_hash")
_NONE = (None, 0, "0")
_AGENTS = (
    *("invoke_agent", "invoke_workflow", "create_agent", "plan", "agent", "workflow", "task", "chain"),
    # Of Vercel's SDK: each is around one span or more that end in doGenerate, doStream or doEmbed.
    *("ai.generatetext", "ai.streamtext", "ai.generateobject", "ai.streamobject", "ai.embed", "ai.embedmany"),
)
_NAMED_BY_SPAN = ("invoke_agent", "agent")
# By these pydantic-ai's runs are known before it named the operation: their usage is that of the calls below them.
_RUN = ("agent_name", "model_name")
_CLIENT = 3
_TOOLS, _VECTORS = ("execute_tool", "tool"), ("retrieval", "retriever")
_EVALUATIONS = ("evaluation", "evaluate", "evaluator")
_DATABASE = ("db.system.name", "db.system")
_VECTOR_DATABASES = frozenset(
    ("pinecone", "qdrant", "weaviate", "chroma", "chromadb", "milvus", "lancedb", "marqo", "vespa", "turbopuffer")
)


def recognises(item: Item) -> bool:
    """Tell whether `item` is an export request of OTLP, in JSON or decoded from protobuf."""
    return MESSAGE in item or "resourceSpans" in item or "resource_spans" in item


def outcomes(parts: Sequence[Span | Unmappable], context: Context) -> Iterator[Outcome]:
    """Give the event of each span that counts."""
    sights = {number: _sight(part, context) for number, part in enumerate(parts) if isinstance(part, Span)}
    family = Family(list(sights.values()), vocabulary_of(context.names, _API_KEY))
    for number, part in enumerate(parts):
        if isinstance(part, Unmappable):
            yield Rejected(part.reason, str(part))
        elif sights[number].role == "other":
            yield Skipped("no_usage")
        elif sights[number].elsewhere:
            yield Skipped("told_elsewhere")
        elif family.counts(sights[number]):
            yield attempt(lambda sight, context: _fields(sight, family, context), sights[number], context)
        else:
            yield Skipped("repeated" if sights[number].has_usage or sights[number].role != "agent" else "no_usage")


def kept(part: Span | Unmappable) -> dict[str, Any]:
    """Spell a span as JSON: ids and times, and its attributes as they are called."""
    if isinstance(part, Unmappable):
        return {}
    return {
        **{"traceId": part.trace, "spanId": part.id, "parentSpanId": part.parent, "scope": part.scope},
        **{"startTimeUnixNano": str(part.start), "endTimeUnixNano": str(part.end)},
        **{"attributes": part.attributes, "resource": part.resource},
    }


def _sight(span: Span, context: Context) -> Sight:
    span = _spread(span, context)
    role = _role(span.attributes)
    return Sight(
        span,
        role,
        tool=_tool(span) if role == "tool" else "",
        has_usage=_has_usage(span.attributes),
        has_cost=first([span.attributes], context.names.cost) is not None,
        response=_response(span.attributes),
        elsewhere=role == "model" and bool(context.told_elsewhere) and _is_of(span, context.told_elsewhere),
        remote=role == "agent" and bool(context.remote_agents) and _is_remote(span, context),
    )


def _spread(span: Span, context: Context) -> Span:
    """Put beside a span's attributes what stands in them as JSON, and the name of an agent that is its span's own."""
    attributes = spread(span.attributes)
    if text(_said(attributes, _OPERATION)).lower() in _NAMED_BY_SPAN and not first([attributes], context.names.agent):
        name = text(attributes.get("traceloop.entity.name")) or span.name.removeprefix("invoke_agent").strip()
        attributes = {**attributes, "agent.name": name}
    return span if attributes is span.attributes else msgspec.structs.replace(span, attributes=attributes)


def _tool(span: Span) -> str:
    return text(_said(span.attributes, _TOOL)) or span.name.removeprefix("execute_tool").strip()


def _response(attributes: Attributes) -> str:
    """Give the id of the response, whole: those of one gateway may differ only at their ends."""
    response = _said(attributes, _RESPONSE)
    return response.strip() if isinstance(response, str) else ""


def _is_remote(span: Span, context: Context) -> bool:
    """Tell whether a span is a call of an agent that runs elsewhere: the span there, if it has one, is no client's."""
    agent = text(first([span.attributes], context.names.agent))
    return span.kind == _CLIENT and (agent in context.remote_agents or _is_of(span, context.remote_agents))


def _is_of(span: Span, elsewhere: frozenset[str]) -> bool:
    """Tell whether a span is of a service, or of a call of a host, that is among those named."""
    port = text(_said(span.attributes, _PORT))
    host = text(_said(span.attributes, _HOST)).lower()
    host = (urlsplit(host).netloc if "://" in host else host).rpartition("@")[2]
    found = (text(span.resource.get("service.name")), host, host.partition(":")[0], f"{host}:{port}")
    return any(name in elsewhere for name in found if name)


def _said(attributes: Attributes, names: Iterable[str]) -> Any:
    """Give the value of the first of `names` that is there; attributes are flat, so no name leads into a value."""
    for name in names:
        value = attributes.get(name)
        if value is not None and (value.__class__ is not str or is_given(value)):
            return value
    return None


def _role(attributes: Attributes) -> Role:
    operation = text(_said(attributes, _OPERATION)).lower()
    if not operation and all(name in attributes for name in _RUN):
        return "agent"
    if operation in _TOOLS or attributes.get("mcp.method.name") == "tools/call" or "ai.toolCall.name" in attributes:
        return "tool"
    if operation in _AGENTS:
        return "agent"
    if operation in _VECTORS or text(_said(attributes, _DATABASE)).lower() in _VECTOR_DATABASES:
        return "vector"
    return "model" if _has_usage(attributes) or _said(attributes, _MODEL) is not None else "other"


def _has_usage(attributes: Attributes) -> bool:
    return any(_said(attributes, _USAGE[name]) not in _NONE for name in ("input_tokens", "output_tokens"))


def _fields(sight: Sight, family: Family, context: Context) -> dict[str, Any]:
    span = sight.span
    if not span.trace or not span.id:
        raise Unmappable("missing_id", "the span has no trace id or no span id")
    words = family.words(sight)
    fields = {
        "id": family.id_of(sight),
        "source": "otel",
        "time": moment(span.end or span.start),
        "session": span.trace,
        "api_key": text(first([words], _API_KEY)),
        "status": "error" if span.failed or "error.type" in span.attributes else "ok",
        **owners([words], context.names),
        **_work(sight, context),
    }
    if sight.role in ("model", "agent") and family.counts_answered_calls(sight):
        fields |= work_of(list(_calls(span.attributes)), context.argument_hash)
    if parent := _parent_agent(sight, family, fields.get("agent"), context.names.agent):
        fields["tags"] = {**fields.get("tags", {}), "parent_agent": parent}
    return {name: value for name, value in fields.items() if value not in (None, "")}


def _parent_agent(sight: Sight, family: Family, agent: Any, names: Sequence[str]) -> str:
    """Name the agent that called this span's agent, where the batch has it."""
    above = (text(first([one.span.attributes], names)) for one in family.ancestors(sight))
    return next((name for name in above if name and name != agent), "")


def _work(sight: Sight, context: Context) -> dict[str, Any]:
    own = sight.span.attributes
    if sight.role == "tool":
        arguments = _arguments(own)
        hashed = "" if arguments is None else context.argument_hash(arguments)
        return {"kind": "tool", "tool": sight.tool, "tool_args_hash": hashed, "tool_calls": 1}
    if sight.role == "vector":
        return {"kind": "vector", "requests": 1, "provider": _provider(own) or text(_said(own, _DATABASE)).lower()}
    operation = text(_said(own, _OPERATION)).lower()
    steps = int("embed" not in operation and operation != "reranker")
    return {
        **_tokens(own),
        **_model(own),
        "kind": "evaluation" if operation in _EVALUATIONS else "llm",
        "cost_usd": _cost(own, context),
        "requests": 1,
        "steps": steps,
    }


def _arguments(own: Attributes) -> Any:
    """Give a tool's arguments, without what OpenLLMetry's LangChain callback puts beside them: steps and their ids."""
    given = _said(own, _ARGUMENTS)
    around = mapping(given)
    return (around.get("inputs") or around["input_str"]) if "input_str" in around else given


def _tokens(own: Attributes) -> dict[str, int]:
    found = {name: count(_said(own, names), name) for name, names in _USAGE.items()}
    total = count(_said(own, _TOTAL), "the total of tokens")
    beyond_input = total - found["input_tokens"]
    found["output_tokens"] = with_reasoning(found["output_tokens"], found["reasoning_tokens"], beyond_input)
    cached = found["cache_read_tokens"], found["cache_write_tokens"]
    found["input_tokens"] = inclusive(found["input_tokens"], *cached, total - found["output_tokens"])
    return found


def _provider(own: Attributes) -> str:
    return _INTERFACE.sub("", text(_said(own, _PROVIDER)).lower())


def _model(own: Attributes) -> dict[str, str]:
    provider, model = _provider(own), text(_said(own, _MODEL))
    return {"provider": provider, "model": model.removeprefix(f"{provider}/") if provider else model}


def _cost(own: Attributes, context: Context) -> Any:
    """A cost is an extension of gateways; a zero is theirs for models without a price, unless a cache answered."""
    given = amount(first([own], context.names.cost), "the cost")
    free = text(own.get("litellm.cache_hit")).lower() == "true"
    return given if given or free else None


def _calls(own: Attributes) -> Iterator[Call]:
    """Find tool calls in the answer, where its content was captured: as messages, or as numbered attributes."""
    for message in listed(own.get("gen_ai.output.messages")):
        for part in map(mapping, listed(mapping(message).get("parts"))):
            if part.get("type") == "tool_call":
                yield Call(text(part.get("name")), part.get("arguments"))
    if "gen_ai.output.messages" not in own:
        yield from _numbered(own)


def _numbered(own: Attributes) -> Iterator[Call]:
    for name, value in own.items():
        if name.startswith(_ANSWERS) and name.endswith(".name") and "call" in name:
            yield Call(text(value), own.get(f"{name.removesuffix('name')}arguments"))


_WORDS = words_of(NAMES) | frozenset(
    (
        *(
            name
            for names in (NAMES.tenant, NAMES.use_case, NAMES.agent, NAMES.session, NAMES.tier, NAMES.tags)
            for name in names
        ),
        *(name for names in (*_USAGE.values(), _TOTAL, _OPERATION, _MODEL, _PROVIDER, NAMES.cost) for name in names),
        *("gen_ai.response.id", "gen_ai.tool.name", "gen_ai.tool.type", "error.type", "mcp.method.name"),
        *("traceId", "spanId", "parentSpanId", "scope", "startTimeUnixNano", "endTimeUnixNano"),
    )
)
FORMAT = Format("otel", NAMES, recognises, outcomes, _WORDS, spans_of, kept)
