"""LiteLLM's calls: whose they are before they are made, what a decision changes, and what is reported of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from alerts.throttle.admission import Decision
from streamer.events.decoder import Decoder
from streamer.events.formats.base import Names
from streamer.events.hashing import argument_hash
from streamer.events.usage import UsageEvent
from streamer.gateway.calls import changed, request_of, tool_request
from streamer.gateway.usage import stripped
from tests.streamer.samples import NOW

CHAT = {
    "model": "gpt-4o",
    "litellm_session_id": "chain-1",
    "tools": [
        {"type": "function", "function": {"name": "search"}},
        {"type": "function", "function": {"name": "fetch"}},
    ],
    "metadata": {
        "user_api_key_team_alias": "acme",
        "tags": ["use_case:support"],
        "requester_metadata": {"agent": "triage", "session_id": "s1"},
    },
}
HASH = argument_hash("")


def test_a_call_goes_by_the_names_under_which_its_usage_will_be_reported() -> None:
    request = request_of(CHAT)
    assert request
    assert (request.tenant, request.use_case, request.agent, request.session) == ("acme", "support", "triage", "s1")
    assert (request.model, request.tools, request.tool) == ("gpt-4o", ("search", "fetch"), "")


def test_a_session_may_come_by_a_header_of_litellm() -> None:
    request = request_of({**CHAT, "metadata": {"user_api_key_team_alias": "acme"}})
    assert request
    assert (request.session, request.agent) == ("chain-1", "")


def test_other_apis_keep_their_metadata_elsewhere() -> None:
    data = {"litellm_metadata": {"requester_metadata": {"tenant": "beta"}}, "tools": [{"name": "search"}], "model": "m"}
    request = request_of(data)
    assert request
    assert (request.tenant, request.tools) == ("beta", ("search",))


def test_a_call_of_nobody_is_the_default_tenants_or_nobodys() -> None:
    assert request_of({"model": "m"}) is None
    request = request_of({"model": "m", "metadata": None}, "house")
    assert request
    assert request.tenant == "house"


def test_a_call_of_a_tool_names_it() -> None:
    request = request_of({**CHAT, "mcp_tool_name": "search", "tools": None})
    assert request
    assert (request.tool, request.tools) == ("search", ())


def test_a_tool_within_a_request_is_called_by_whoever_made_the_request() -> None:
    caller = request_of(CHAT)
    request = tool_request({"mcp_tool_name": "search"}, caller, key={"user_api_key_team_alias": "beta"}, session="s9")
    assert request
    assert (request.tenant, request.agent, request.session, request.tool) == ("acme", "triage", "s1", "search")
    assert (request.model, request.tools) == ("", ())


def test_a_tool_by_itself_is_called_by_whom_its_headers_and_its_key_name() -> None:
    data = {"mcp_tool_name": "search", "model": "mcp-tool-call", "metadata": {"user_api_key_team_id": None}}
    key = {"user_api_key_team_id": "acme"}
    request = tool_request(data, None, key=key, session="s9")
    assert request
    assert (request.tenant, request.agent, request.session, request.tool) == ("acme", "", "s9", "search")
    data["metadata"] = {"headers": {"x-litellm-tags": "agent:triage, tenant:beta"}}
    request = tool_request(data, None, key=key, session="")
    assert request
    assert (request.tenant, request.agent, request.session) == ("beta", "triage", "")


def test_a_tools_call_of_nobody_is_the_default_tenants_or_nobodys() -> None:
    data = {"mcp_tool_name": "search"}
    assert tool_request(data, None, key={}, session="") is None
    request = tool_request(data, None, key={}, session="", default_tenant="house")
    assert request
    assert request.tenant == "house"


def test_a_downgrade_asks_another_model() -> None:
    for call_type in ("completion", "acompletion", "atext_completion", "aresponses", "anthropic_messages"):
        assert changed({"model": "gpt-4o"}, Decision(model="gpt-4o-mini"), call_type)["model"] == "gpt-4o-mini"


@pytest.mark.parametrize("call_type", ["aembedding", "aimage_generation", "arerank", "amoderation", "call_mcp_tool"])
def test_what_no_model_answers_in_words_is_asked_as_it_was(call_type: str) -> None:
    assert changed({"model": "embed"}, Decision(model="gpt-4o-mini"), call_type)["model"] == "embed"


def test_a_blocked_tool_is_not_offered() -> None:
    choice = {"type": "function", "function": {"name": "search"}}
    data = changed({**CHAT, "tool_choice": choice}, Decision(without=("search",)), "acompletion")
    assert [tool["function"]["name"] for tool in data["tools"]] == ["fetch"]
    assert "tool_choice" not in data
    alone = {"tools": [{"name": "search"}], "tool_choice": "auto", "parallel_tool_calls": True, "model": "m"}
    assert changed(alone, Decision(without=("search",)), "aresponses") == {"model": "m"}


def test_what_is_reported_of_a_payload_decodes_as_the_whole_of_it_and_holds_no_words(shared_data: Path) -> None:
    """Of everything that the real proxy was seen to send; but for the arguments' hash, which is hashed again."""
    payloads = list((shared_data / "payloads" / "litellm" / "1.109.1").rglob("*.json"))
    tried = 0
    for path in payloads:
        payload = json.loads(path.read_bytes())
        if not isinstance(payload, dict) or "call_type" not in payload:
            continue
        sent = stripped(payload, HASH)
        assert not {"messages", "error_str", "error_information", "model_parameters"} & sent.keys()
        assert len(json.dumps(sent)) < 2500
        assert _decoded(sent) == _decoded(payload), path.name
        tried += 1
    assert tried > 30


def _decoded(payload: dict[str, Any]) -> list[Any]:
    items = Decoder(default_tenant="house").decode(json.dumps(payload).encode(), NOW)
    return [
        {name: getattr(item, name) for name in item.__struct_fields__ if name != "tool_args_hash"}
        if isinstance(item, UsageEvent)
        else item
        for item in items
    ]


@pytest.mark.parametrize("arguments", ['{"q": "a secret"}', {"q": "a secret"}])
def test_arguments_of_tools_leave_as_a_hash(arguments: Any) -> None:
    call = {"function": {"name": "search", "arguments": arguments}}
    payload = {
        "id": "1",
        "response": {"choices": [{"message": {"content": "a secret", "tool_calls": [call]}}]},
        "metadata": {"mcp_tool_call_metadata": {"name": "search", "arguments": arguments, "result": "a secret"}},
    }
    sent = stripped(payload, HASH)
    assert "secret" not in json.dumps(sent)
    (same,) = {
        sent["response"]["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"],
        sent["metadata"]["mcp_tool_call_metadata"]["arguments"],
    }
    assert same == HASH({"q": "a secret"})


def test_what_the_configuration_names_is_sent_and_nothing_beside_it() -> None:
    names = Names(
        tenant=("metadata.requester_metadata.customer",),
        use_case=("metadata.requester_metadata.feature.name",),
        agent=("metadata.requester_metadata.team",),
        tags=("metadata.spend_logs_metadata.*",),
    )
    asked = {"customer": "acme", "feature": {"name": "support", "prompt": "a secret"}, "team": ["a secret"]}
    metadata = {
        **{"requester_metadata": asked, "spend_logs_metadata": {"stage": "test", "words": {"a": "secret"}}},
        "user_api_key_alias": "key-1",
    }
    payload = {"id": "1", "call_type": "acompletion", "startTime": 1, "endTime": NOW - 9, "metadata": metadata}
    sent = stripped(payload, HASH, names)
    assert "secret" not in json.dumps(sent)
    whole, told = (Decoder(names={"litellm": names}).decode(json.dumps(one).encode(), NOW) for one in (payload, sent))
    assert whole == told
    (event,) = told
    assert isinstance(event, UsageEvent)
    assert (event.tenant, event.use_case, event.tags, event.api_key) == ("acme", "support", {"stage": "test"}, "key-1")
