"""Spans of senders that call things by names of their own, as each of them writes a call of a model or of a tool."""

from typing import Any

import orjson
import pytest

from streamer.events.decoder import Decoder
from streamer.events.rejected import Rejected
from streamer.events.skipped import Skipped
from streamer.events.usage import UsageEvent
from tests.streamer.events.formats.payloads.told import KEY, hashed
from tests.streamer.events.formats.test_otel import decode, request

PARIS = '{"city": "Paris"}'
TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")


def spans(*all_attributes: dict[str, Any], name: str = "", **more: Any) -> bytes:
    """Spans one below the other, each with its attributes."""
    made = [
        {
            "name": name,
            "parentSpanId": f"{number:016x}" if number else "",
            "startTimeUnixNano": "1795305600000000000",
            "endTimeUnixNano": "1795305601000000000",
            "attributes": attributes,
            **more,
        }
        for number, attributes in enumerate(all_attributes)
    ]
    return request(*made)


def one(attributes: dict[str, Any], **more: Any) -> UsageEvent:
    (event,) = Decoder(hash_key=KEY).decode(spans(attributes, **more), 1795348800.0)
    assert isinstance(event, UsageEvent), event
    return event


@pytest.mark.parametrize(
    ("attributes", "tokens", "model"),
    [
        pytest.param(
            {
                **{"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4", "gen_ai.response.model": "gpt-4-0613"},
                **{"gen_ai.usage.prompt_tokens": 7, "gen_ai.usage.completion_tokens": 3},
            },
            (7, 3, 0, 0, 0),
            "gpt-4-0613",
            id="conventions before 1.27",
        ),
        pytest.param(
            {
                **{"gen_ai.operation.name": "chat.completions", "gen_ai.system": "openai"},
                **{"gen_ai.request.model": "gpt-4o", "gen_ai.response.prompt_tokens": 16},
                "gen_ai.response.completion_tokens": 28,
            },
            (16, 28, 0, 0, 0),
            "gpt-4o",
            id="Semantic Kernel",
        ),
        pytest.param(
            {
                **{"gen_ai.system": "gcp.vertex.agent", "gen_ai.request.model": "gemini-2.0-flash"},
                **{"gcp.vertex.agent.session_id": "s-1", "gcp.vertex.agent.llm_request": "words"},
                **{"gen_ai.usage.input_tokens": 120, "gen_ai.usage.output_tokens": 9},
            },
            (120, 9, 0, 0, 0),
            "gemini-2.0-flash",
            id="Google ADK",
        ),
        pytest.param(
            {
                **{"gen_ai.operation.name": "chat", "gen_ai.system": "strands-agents"},
                **{"gen_ai.request.model": "us.anthropic.claude-sonnet-4-20250514-v1:0"},
                **{"gen_ai.usage.prompt_tokens": 2000, "gen_ai.usage.input_tokens": 2000},
                **{"gen_ai.usage.completion_tokens": 40, "gen_ai.usage.output_tokens": 40},
                **{"gen_ai.usage.total_tokens": 3540, "gen_ai.usage.cache_read_input_tokens": 1400},
                "gen_ai.usage.cache_write_input_tokens": 100,
            },
            (3500, 40, 1400, 100, 0),
            "us.anthropic.claude-sonnet-4-20250514-v1:0",
            id="Strands, whose input leaves out the cached tokens, as its total shows",
        ),
        pytest.param(
            {
                **{"langsmith.span.kind": "llm", "gen_ai.operation.name": "chat", "gen_ai.system": "openai"},
                **{"gen_ai.request.model": "gpt-4o-mini", "gen_ai.usage.input_tokens": 25},
                **{"gen_ai.usage.output_tokens": 7, "gen_ai.usage.total_tokens": 32},
                "gen_ai.usage.input_token_details": '{"cache_read": 10, "audio": 0}',
                "gen_ai.usage.output_token_details": '{"reasoning": 2}',
            },
            (25, 7, 10, 0, 2),
            "gpt-4o-mini",
            id="LangSmith",
        ),
        pytest.param(
            {
                **{"langfuse.observation.type": "generation", "langfuse.observation.model.name": "claude-sonnet-4-5"},
                "langfuse.observation.usage_details": orjson.dumps(
                    {
                        **{"input": 5, "input_cached_tokens": 30, "cache_creation_input_tokens": 20, "total": 65},
                        **{"output": 6, "output_reasoning_tokens": 4},
                    }
                ).decode(),
            },
            (55, 10, 30, 20, 4),
            "claude-sonnet-4-5",
            id="Langfuse",
        ),
        pytest.param(
            {
                **{"langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o"},
                "langfuse.observation.usage_details": orjson.dumps(
                    {
                        **{"prompt_tokens": 50, "completion_tokens": 6, "total_tokens": 56},
                        "prompt_tokens_details": {"cached_tokens": 30},
                    }
                ).decode(),
            },
            (50, 6, 30, 0, 0),
            "gpt-4o",
            id="Langfuse around OpenAI's client",
        ),
        pytest.param(
            {
                **{
                    "openinference.span.kind": "LLM",
                    "llm.provider": "anthropic",
                    "llm.model_name": "claude-sonnet-4-5",
                },
                **{"llm.token_count.prompt": 40, "llm.token_count.completion": 5, "llm.token_count.total": 75},
                "llm.token_count.prompt_details.cache_read": 30,
            },
            (70, 5, 30, 0, 0),
            "claude-sonnet-4-5",
            id="OpenInference, where the total counts cached tokens beside the prompt",
        ),
        pytest.param(
            {
                **{"ai.operationId": "ai.generateText.doGenerate", "ai.model.id": "gpt-4o", "ai.usage.inputTokens": 8},
                **{"ai.usage.outputTokens": 2, "ai.usage.cachedInputTokens": 4, "ai.model.provider": "openai.chat"},
            },
            (8, 2, 4, 0, 0),
            "gpt-4o",
            id="Vercel's AI SDK",
        ),
    ],
)
def test_a_call_of_a_model(attributes: dict[str, Any], tokens: tuple[int, ...], model: str) -> None:
    event = one(attributes)
    assert tuple(getattr(event, field) for field in TOKENS) == tokens
    assert (event.kind, event.model, event.requests, event.steps) == ("llm", model, 1, 1)


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.arguments": PARIS}, "execute_tool get_weather"),
        ({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_weather", "tool_arguments": PARIS}, "x"),
        (
            {
                **{"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_weather"},
                "gcp.vertex.agent.tool_call_args": PARIS,
            },
            "execute_tool get_weather",
        ),
        ({"langfuse.observation.type": "tool", "langfuse.observation.input": PARIS}, "get_weather"),
        ({"langsmith.span.kind": "tool", "gen_ai.prompt": PARIS}, "get_weather"),
        ({"openinference.span.kind": "TOOL", "tool.name": "get_weather", "input.value": PARIS}, "x"),
        ({"traceloop.span.kind": "tool", "traceloop.entity.name": "get_weather", "traceloop.entity.input": PARIS}, "x"),
        ({"mcp.method.name": "tools/call", "gen_ai.tool.name": "get_weather", "gen_ai.tool.call.arguments": PARIS}, ""),
    ],
)
def test_a_call_of_a_tool(attributes: dict[str, Any], name: str) -> None:
    event = one(attributes, name=name)
    assert (event.kind, event.tool, event.tool_calls, event.requests) == ("tool", "get_weather", 1, 0)
    assert event.tool_args_hash == hashed(PARIS)
    assert "Paris" not in str(event)


def test_calls_in_an_answer_may_be_numbered_attributes() -> None:
    call = "llm.output_messages.0.message.tool_calls.0.tool_call.function"
    answer = {f"{call}.name": "get_weather", f"{call}.arguments": PARIS, "llm.model_name": "m"}
    event = one({"openinference.span.kind": "LLM", **answer})
    assert (event.tool, event.tool_calls, event.tool_args_hash) == ("get_weather", 1, hashed(PARIS))


# The last two have no name but their span's.
AGENTS = [
    {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner"},
    {"gen_ai.operation.name": "invoke_agent", "agent_name": "planner"},
    {"traceloop.span.kind": "agent", "traceloop.entity.name": "planner"},
    {"openinference.span.kind": "AGENT", "agent.name": "planner"},
    {"langfuse.observation.type": "agent"},
    {"gen_ai.operation.name": "invoke_agent"},
]


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_is_named_by_its_attribute_or_by_its_span(agent: dict[str, Any]) -> None:
    chat = {"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 5}
    _, event = decode(spans(agent, chat, name="invoke_agent planner" if agent in AGENTS[4:] else "run"))
    assert isinstance(event, UsageEvent)
    assert event.agent == "planner"


@pytest.mark.parametrize("agent", AGENTS[:4])
def test_the_agent_above_an_agent_is_its_parent_whatever_names_it(agent: dict[str, Any]) -> None:
    below = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "searcher"}
    *_, event = decode(spans(agent, below, {"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 5}))
    assert isinstance(event, UsageEvent)
    assert (event.agent, event.tags["parent_agent"]) == ("searcher", "planner")


def test_a_cost_in_json_is_given() -> None:
    event = one({"gen_ai.request.model": "m", "langfuse.observation.cost_details": '{"input": 0.25, "total": 0.75}'})
    assert str(event.cost_usd) == "0.75"


def test_details_that_are_no_counts_are_rejected() -> None:
    usage = {"gen_ai.request.model": "m", "langfuse.observation.usage_details": '{"input": "many", "output": 1}'}
    (item,) = decode(spans(usage))
    assert isinstance(item, Rejected)
    assert item.reason == "wrong_type"


def test_sessions_users_and_uses_have_the_senders_names() -> None:
    event = one(
        {
            **{"gen_ai.request.model": "m", "langsmith.metadata.thread_id": "t-1", "langsmith.metadata.user_id": "u"},
            "langsmith.trace.session_name": "my-project",
        }
    )
    assert (event.session, event.user, event.use_case) == ("t-1", "u", "my-project")


def test_a_run_of_pydantic_ai_before_it_named_the_operation_repeats_its_calls() -> None:
    run = {"agent_name": "triage", "model_name": "gpt-4o", "logfire.msg": "triage run", "gen_ai.usage.input_tokens": 30}
    (item,) = Decoder(hash_key=KEY).decode(spans(run, name="agent run"), 1795348800.0)
    assert item == Skipped("repeated")


def test_of_a_tool_under_langchain_only_the_arguments_are_hashed_and_not_the_step_of_the_graph() -> None:
    def called(step: int, **given: Any) -> str:
        around = {
            "input_str": PARIS,
            "tags": [],
            "metadata": {"langgraph_step": step},
            "kwargs": {"run": step},
            **given,
        }
        return one(
            {
                **{"traceloop.span.kind": "tool", "traceloop.entity.name": "weather"},
                "traceloop.entity.input": orjson.dumps(around).decode(),
            }
        ).tool_args_hash

    assert called(1) == called(2) == called(3, inputs={"city": "Paris"}) == hashed(PARIS)
    assert called(1, inputs={"city": "Rome"}) != called(1)
