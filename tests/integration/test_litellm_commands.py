"""Every command through LiteLLM's real proxy, over each of its APIs: what reaches a model, what a caller gets."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import openai
import pytest

from alerts.throttle.command import Action, Command, CommandReason, CommandScope
from streamer.clock import utc, wall
from streamer.config import KafkaConfig
from streamer.kafka.topics import ensure
from tests.brokers import Broker
from tests.brokers.apache import ApacheKafka
from tests.integration.deployment import Deployment, until
from tests.integration.litellm_proxy import KEY, Answer, Proxy, proxy
from tests.integration.models import Models, stand_in

pytestmark = pytest.mark.integration
CONFIG = """
model_list:
  - model_name: plain
    litellm_params: {{model: openai/gpt-4o, api_key: none, api_base: "{url}/v1"}}
  - model_name: cheap
    litellm_params: {{model: openai/gpt-4o-mini, api_key: none, api_base: "{url}/v1"}}
  - model_name: claude
    litellm_params: {{model: anthropic/claude-sonnet-4-5, api_key: none, api_base: "{url}"}}
  - model_name: haiku
    litellm_params: {{model: anthropic/claude-haiku-4-5, api_key: none, api_base: "{url}"}}
  - model_name: embed
    litellm_params: {{model: openai/text-embedding-3-small, api_key: none, api_base: "{url}/v1"}}
mcp_servers:
  shop: {{url: "{url}/mcp", transport: http}}
litellm_settings:
  callbacks: [streamer.gateway.litellm.gate]
"""
# The session of each command, so that all are in force from the start and no test waits for its own.
COMMANDS: dict[str, tuple[Action, dict[str, int | str]]] = {
    "paused": ("pause", {}),
    "downgraded": ("downgrade_model", {"model": "cheap"}),
    "downgraded-claude": ("downgrade_model", {"model": "haiku"}),
    "limited": ("limit_rate", {"requests_per_minute": 40}),
    "capped": ("cap_steps", {"steps": 2}),
    "capped-tools": ("cap_steps", {"steps": 2}),
    "capped-mcp": ("cap_steps", {"steps": 2}),
    "toolless": ("block_tool", {"tool": "search"}),
}
# Each API's way, what it is asked, and the model that answers.
APIS: dict[str, tuple[str, dict[str, Any], str]] = {
    "chat": ("/v1/chat/completions", {"model": "plain", "messages": [{"role": "user", "content": "hi"}]}, "gpt-4o"),
    "responses": ("/v1/responses", {"model": "plain", "input": "hi"}, "gpt-4o"),
    "messages": (
        "/v1/messages",
        {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
        "claude-sonnet-4-5",
    ),
}
every_api = pytest.mark.parametrize("api", APIS)
streamed_or_not = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


class Running(NamedTuple):
    """The proxy, the models behind it, and the topics."""

    proxy: Proxy
    models: Models
    deployment: Deployment

    def ask(self, api: str, session: str, **body: Any) -> Answer:
        path, asked, _ = APIS[api]
        return self.proxy.ask(path, {**asked, "metadata": {"tenant": "acme", "session_id": session}, **body})

    def call_tool(self, session: str, tool: str) -> Answer:
        """Call a tool of the MCP server by LiteLLM's REST."""
        listed = self.proxy.ask("/mcp-rest/tools/list").body["tools"]
        asked = {"server_id": listed[0]["mcp_info"]["server_id"], "name": tool, "arguments": {"order": "A-17"}}
        metadata = {"tenant": "acme", "session_id": session}
        return self.proxy.ask("/mcp-rest/tools/call", {**asked, "metadata": metadata})

    def speak_mcp(self, session: str, tool: str) -> dict[str, Any]:
        """Call the same tool by the protocol itself; gives its result."""
        params = {"name": f"shop-{tool}", "arguments": {"order": "A-17"}}
        asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        accepted = {"Accept": "application/json, text/event-stream"}
        whose = {"x-litellm-session-id": session, "x-litellm-tags": "agent:triage,tenant:acme"}
        answer = self.proxy.ask("/mcp/", asked, **accepted, **whose)
        (data,) = [line for line in answer.text.splitlines() if line.startswith("data: ")]
        found: dict[str, Any] = json.loads(data.removeprefix("data: "))["result"]
        return found

    def reached(self, since: int) -> list[tuple[str, list[str]]]:
        """The models that were asked, each with the tools that it was offered."""
        return [(asked.model, asked.tools) for asked in self.models.asked[since:]]


@pytest.fixture(scope="module")
def running(
    apache_broker: ApacheKafka, litellm_command: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("litellm")
    deployment = Deployment(Broker("apache", apache_broker.bootstrap), folder)
    asyncio.run(ensure(KafkaConfig(bootstrap=apache_broker.bootstrap), deployment.topics, {}))
    deployment.produce(deployment.topics.throttle, map(_command, COMMANDS))
    with stand_in() as models:
        config = CONFIG.format(url=models.url)
        with proxy(litellm_command, deployment, folder, config, GATEWAY__NAME="litellm-1") as started:
            started.wait_until_alive()
            found = Running(started, models, deployment)
            # The first call of a process waits until the commands are read.
            assert found.ask("chat", "free").status == 200
            yield found


def _command(session: str) -> tuple[str, bytes]:
    (action, params), now = COMMANDS[session], utc(wall())
    scope = CommandScope("acme", session=session)
    command = Command(
        id=f"c-{session}",
        scope=scope,
        action=action,
        params=params,
        mode="enforce",
        reason=CommandReason("i7", "loop", "search called 6 times", 6, 1, "1"),
        issued_at=now,
        expires_at=now + timedelta(seconds=900),
        generation=1,
    )
    return scope.key(), msgspec.json.encode(command)


@every_api
@streamed_or_not
def test_a_paused_session_is_refused_before_anything_begins(running: Running, api: str, stream: bool) -> None:
    before = len(running.models.asked)
    answer = running.ask(api, "paused", stream=stream)
    assert (answer.status, answer.headers["content-type"]) == (429, "application/json")
    assert 0 < int(answer.headers["retry-after"]) <= 900
    assert "this session is paused" in answer.told
    fields = answer.body["error"]["provider_specific_fields"]
    assert (fields["tidegate_command"], fields["incident"]) == ("c-paused", "i7")
    assert running.reached(before) == []


@every_api
@streamed_or_not
def test_a_downgraded_session_is_answered_by_the_other_model(running: Running, api: str, stream: bool) -> None:
    before = len(running.models.asked)
    session, other, model = (
        ("downgraded-claude", "haiku", "claude-haiku-4-5")
        if api == "messages"
        else ("downgraded", "cheap", "gpt-4o-mini")
    )
    answer = running.ask(api, session, stream=stream)
    assert (answer.status, answer.headers["x-litellm-model-group"]) == (200, other)
    assert "hel" in answer.text
    assert running.reached(before) == [(model, [])]
    assert running.ask(api, "free", stream=stream).status == 200
    assert running.models.asked[-1].model == APIS[api][2]


def test_what_no_model_answers_in_words_is_not_downgraded(running: Running) -> None:
    """An embedding by a model of words is an error, and one by another model of embeddings is worth nothing."""
    metadata = {"tenant": "acme", "session_id": "downgraded"}
    answer = running.proxy.ask("/v1/embeddings", {"model": "embed", "input": "hi", "metadata": metadata})
    assert answer.status == 200
    assert running.models.asked[-1].model == "text-embedding-3-small"


def test_embeddings_are_paused_too(running: Running) -> None:
    metadata = {"tenant": "acme", "session_id": "paused"}
    answer = running.proxy.ask("/v1/embeddings", {"model": "embed", "input": "hi", "metadata": metadata})
    assert (answer.status, "retry-after" in answer.headers) == (429, True)


def test_a_limited_session_is_told_when_to_try_again_and_then_goes_through(running: Running) -> None:
    assert running.ask("chat", "limited").status == 200
    refused = running.ask("chat", "limited")
    assert refused.status == 429
    assert int(refused.headers["retry-after"]) in (1, 2)
    assert "limited to 40 requests a minute" in refused.told
    until(lambda: running.ask("chat", "limited").status == 200, "the limit to let a call through")


def test_a_capped_session_has_so_many_steps_whatever_the_api(running: Running) -> None:
    before = len(running.models.asked)
    answers = [running.ask(api, "capped") for api in APIS]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert "capped at 2 steps a session" in answers[-1].told
    assert len(running.reached(before)) == 2


def tools(api: str) -> list[dict[str, Any]]:
    schema = {"type": "object", "properties": {}}
    forms: dict[str, Any] = {
        "chat": lambda name: {"type": "function", "function": {"name": name, "parameters": schema}},
        "responses": lambda name: {"type": "function", "name": name, "parameters": schema},
        "messages": lambda name: {"name": name, "input_schema": schema},
    }
    return [forms[api](name) for name in ("search", "fetch")]


@every_api
def test_a_blocked_tool_is_not_offered_to_the_model(running: Running, api: str) -> None:
    before = len(running.models.asked)
    assert running.ask(api, "toolless", tools=tools(api)).status == 200
    assert running.ask(api, "toolless", tools=tools(api)[:1], tool_choice=_any(api)).status == 200
    assert running.ask(api, "free", tools=tools(api)).status == 200
    assert [tools for _, tools in running.reached(before)] == [["fetch"], [], ["search", "fetch"]]


def _any(api: str) -> Any:
    return {"type": "any"} if api == "messages" else "required"


def called(running: Running, since: int) -> list[str]:
    """The tools of the MCP server that were called."""
    asked = [asked.body for asked in running.models.asked[since:] if asked.path == "/mcp"]
    return [body["params"]["name"] for body in asked if body["method"] == "tools/call"]


def test_a_blocked_tool_of_an_mcp_server_is_not_called_and_others_are(running: Running) -> None:
    before = len(running.models.asked)
    refused = running.call_tool("toolless", "search")
    assert (refused.status, "retry-after" in refused.headers) == (429, True)
    assert "without the tool search" in refused.body["detail"]["error"]
    assert [running.call_tool("toolless", "fetch").status, running.call_tool("free", "search").status] == [200, 200]
    assert called(running, before) == ["fetch", "search"]


def test_over_the_mcp_protocol_a_refusal_is_an_error_of_the_tool(running: Running) -> None:
    before = len(running.models.asked)
    results = {
        (session, tool): running.speak_mcp(session, tool)
        for session in ("toolless", "paused", "free")
        for tool in ("search", "fetch")
    }
    refused = {whose: result for whose, result in results.items() if result["isError"]}
    assert refused.keys() == {("toolless", "search"), ("paused", "search"), ("paused", "fetch")}
    assert all("Tidegate: this session is" in result["content"][0]["text"] for result in refused.values())
    assert called(running, before) == ["fetch", "search", "fetch"]


def test_a_tools_call_is_one_step(running: Running) -> None:
    """Though LiteLLM tells of it twice over REST."""
    assert [running.call_tool("capped-tools", "fetch").status for _ in range(3)] == [200, 200, 429]
    assert [running.speak_mcp("capped-mcp", "fetch")["isError"] for _ in range(3)] == [False, False, True]


def test_the_usual_client_raises_its_own_error_and_reads_streams_to_their_end(running: Running) -> None:
    with openai.OpenAI(base_url=f"{running.proxy.url}/v1", api_key=KEY, max_retries=0) as client:

        def create(session: str) -> Any:
            metadata = {"tenant": "acme", "session_id": session}
            messages: Any = [{"role": "user", "content": "hi"}]
            return client.chat.completions.create(
                model="plain", messages=messages, stream=True, extra_body={"metadata": metadata}
            )

        with pytest.raises(openai.RateLimitError, match="this session is paused") as refused:
            create("paused")
        assert int(refused.value.response.headers["retry-after"]) > 0
        said = [chunk.choices[0].delta.content for chunk in create("free") if chunk.choices]
    assert "".join(filter(None, said)) == "hello"


@every_api
@streamed_or_not
def test_what_reached_a_model_is_sent_as_usage_and_what_was_refused_is_not(
    running: Running, api: str, stream: bool
) -> None:
    """With the model that answered, its tokens and its price, also where a stream was not asked for its usage."""
    session = f"metered-{api}-{stream}"
    assert running.ask(api, "paused", stream=stream).status == 429
    assert running.ask(api, session, stream=stream).status == 200
    found = running.deployment.consume_until(
        lambda found: session in str(found[running.deployment.topics.raw]), running.deployment.topics.raw
    )
    calls = [call for batch in found[running.deployment.topics.raw] for call in batch]
    (mine,) = [call for call in calls if call["trace_id"] == session]
    assert (mine["status"], mine["model"].rpartition("/")[2]) == ("success", APIS[api][2])
    assert (mine["prompt_tokens"], mine["completion_tokens"]) == (11, 2)
    assert mine["response_cost"] > 0
    assert not [call for call in calls if call["status"] != "success" or call["trace_id"] == "paused"]
