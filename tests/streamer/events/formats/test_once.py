"""Each call counts once, however many spans tell of it."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import Config
from streamer.events.decoder import Decoder
from streamer.events.rejected import Rejected
from streamer.events.skipped import Skipped
from streamer.events.usage import UsageEvent
from streamer.pipeline import Pipeline
from tests.streamer.events.formats.test_otel import request
from tests.streamer.samples import NOW

INTERNAL, CLIENT = 1, 3
OPERATIONS = ("chat", "invoke_agent", "execute_tool")
NAMED = frozenset(["researcher"])
CALL = "chatcmpl-4ff4487cfdf74e06a6fb3f34"


def span(parent: int, operation: str, kind: int = INTERNAL, tokens: int = 0, **more: Any) -> dict[str, Any]:
    """A span below the span of that number (from 1; 0 for none)."""
    attributes: dict[str, Any] = {"gen_ai.operation.name": operation}
    attributes |= {name.replace("__", "."): value for name, value in more.items()}
    if operation not in ("execute_tool", "invoke_agent"):
        attributes["gen_ai.request.model"] = "m"
    if tokens:
        attributes["gen_ai.usage.input_tokens"] = tokens
    above = {"parentSpanId": f"{parent:016x}"} if parent else {}
    return {**above, "kind": kind, "endTimeUnixNano": "1795305600000000000", "attributes": attributes}


def counted(*spans: dict[str, Any], remote_agents: frozenset[str] = frozenset()) -> list[int]:
    """The numbers of the spans that became events."""
    items = Decoder(hash_key="k", remote_agents=remote_agents).decode(request(*spans), NOW)
    assert not any(isinstance(item, Rejected) for item in items)
    return [number for number, item in enumerate(items, 1) if isinstance(item, UsageEvent)]


def test_an_agent_that_repeats_the_usage_of_its_calls_does_not_count() -> None:
    agent, calls = span(0, "invoke_agent", tokens=30), [span(1, "chat", tokens=10), span(1, "chat", tokens=20)]
    assert counted(agent, *calls) == [2, 3]


def test_an_agent_in_this_process_does_not_count_where_its_calls_are_in_another_batch() -> None:
    assert counted(span(0, "invoke_agent", INTERNAL, tokens=30)) == []


def test_frameworks_call_agents_of_this_process_by_a_client_too_so_that_alone_makes_none_elsewhere() -> None:
    assert counted(span(0, "invoke_agent", CLIENT, tokens=30)) == []


def remote(tokens: int, **more: Any) -> dict[str, Any]:
    return span(0, "invoke_agent", CLIENT, tokens=tokens, gen_ai__agent__name="researcher", **more)


def test_an_agent_that_is_named_as_remote_counts_where_nothing_below_it_reports_usage() -> None:
    assert counted(remote(30), remote_agents=NAMED) == [1]
    assert counted(remote(30), span(1, "execute_tool", tool__name="t"), remote_agents=NAMED) == [1, 2]
    assert counted(remote(30), span(1, "chat", tokens=30), remote_agents=NAMED) == [2]
    assert counted(remote(9), {**remote(9), "parentSpanId": f"{1:016x}"}, remote_agents=NAMED) == [2]
    assert counted(remote(30, server__address="agents.example"), remote_agents=frozenset(["agents.example"])) == [1]


def test_the_remote_agents_own_span_and_other_agents_do_not_count() -> None:
    assert counted({**remote(30), "kind": INTERNAL}, remote_agents=NAMED) == []
    assert counted(span(0, "invoke_agent", CLIENT, tokens=30, gen_ai__agent__name="b"), remote_agents=NAMED) == []


def test_the_order_of_spans_makes_no_difference() -> None:
    assert counted(span(2, "chat", tokens=30), span(0, "invoke_agent", CLIENT, tokens=30)) == [1]


def test_a_wrapper_and_what_it_wraps_are_one_call() -> None:
    assert counted(span(0, "chat", tokens=10), span(1, "chat", tokens=10)) == [2]
    assert counted(span(0, "chat", tokens=10), span(1, "http"), span(2, "chat", tokens=10))[-1:] == [3]


def test_where_only_the_outer_one_reports_usage_it_counts() -> None:
    assert counted(span(0, "chat", tokens=10), span(1, "chat")) == [1]


def test_where_none_reports_usage_the_innermost_counts() -> None:
    assert counted(span(0, "chat"), span(1, "chat"), span(2, "chat")) == [3]


def test_the_legs_of_a_fallback_are_calls_of_their_own() -> None:
    assert counted(span(0, "chat", tokens=10), span(1, "chat"), span(1, "chat", tokens=10)) == [2, 3]


@pytest.mark.parametrize("between", ["execute_tool", "invoke_agent"])
def test_a_call_for_a_tool_or_an_agent_inside_a_call_is_another_call(between: str) -> None:
    found = counted(span(0, "chat", tokens=10), span(1, between, tool__name="t"), span(2, "chat", tokens=20))
    assert {1, 3} <= set(found)


def test_a_tool_that_is_called_through_a_protocol_is_called_once() -> None:
    outer = span(0, "execute_tool", gen_ai__tool__name="t", gen_ai__tool__call__arguments='{"a": 1}')
    client = span(1, "execute_tool", CLIENT, mcp__method__name="tools/call", gen_ai__tool__name="t")
    assert counted(outer, client, span(2, "execute_tool", gen_ai__tool__name="t")) == [1]
    assert counted(outer, span(1, "execute_tool", gen_ai__tool__name="another")) == [1, 2]


def gateway_and_client(*, cost: bool, response: str = CALL) -> bytes:
    """The same response, told of by a client's span and in a trace of its own by its gateway's."""
    client = orjson.loads(request(span(0, "chat", CLIENT, 10, gen_ai__response__id=response, gen_ai__agent__name="a")))
    money = {"gen_ai__cost__total_cost": 0.5} if cost else {}
    gateway = orjson.loads(
        request(
            {**span(0, "chat", tokens=10, gen_ai__response__id=response, **money), "traceId": "b" * 32},
            resource={"service.name": "gateway"},
        )
    )
    return orjson.dumps({"resourceSpans": client["resourceSpans"] + gateway["resourceSpans"]})


@pytest.mark.parametrize("cost", [True, False])
def test_a_client_and_its_gateway_in_traces_of_their_own_are_told_by_the_response(cost: bool) -> None:
    items = Decoder().decode(gateway_and_client(cost=cost), NOW)
    (event,) = [item for item in items if isinstance(item, UsageEvent)]
    assert (event.agent, event.tokens, event.cost_usd is not None) == ("a", 10, cost)
    assert [item.cause for item in items if isinstance(item, Skipped)] == ["repeated"]


@pytest.mark.parametrize("response", ["chatcmpl-1", "chatcmpl-712"])
def test_calls_of_two_services_whose_provider_draws_ids_from_a_few_hundred_both_count(response: str) -> None:
    items = Decoder().decode(gateway_and_client(cost=False, response=response), NOW)
    assert [type(item) for item in items] == [UsageEvent, UsageEvent]


def test_equal_ids_of_responses_from_one_teller_are_calls_of_their_own() -> None:
    """Stand-ins of providers answer with one id for ever."""
    assert counted(*[span(0, "chat", tokens=10, gen_ai__response__id="r")] * 3) == [1, 2, 3]


def told_by(service: str, response: str, tokens: int = 10, trace: str = "a", **more: Any) -> bytes:
    """A request with one span of a call, of a service that exports by itself."""
    told = span(0, "chat", CLIENT, tokens, gen_ai__response__id=response, **more)
    resource = {"service.name": service, "tenant.id": "acme"}
    return request({**told, "traceId": trace * 32, "spanId": f"{hash(service) % 2**63:016x}"}, resource=resource)


def ids(*records: bytes, **settings: Any) -> list[str]:
    """The ids of the events of requests that come one by one."""
    items = [item for record in records for item in Decoder(**settings).decode(record, NOW)]
    return [item.id for item in items if isinstance(item, UsageEvent)]


def test_spans_of_one_call_that_come_in_requests_of_their_own_have_one_id() -> None:
    """The meter counts an id once: see tests/streamer/test_dedup.py."""
    first, second = ids(told_by("app", CALL), told_by("gateway", CALL, gen_ai__cost__total_cost=0.5))
    assert first == second


def test_a_client_and_its_gateway_that_export_by_themselves_are_metered_once() -> None:
    pipeline = Pipeline(Config())
    rollups = []
    for record in (told_by("app", CALL), told_by("gateway", CALL), told_by("app", CALL[:-1] + "5")):
        events = [item for item in Decoder().decode(record, NOW) if isinstance(item, UsageEvent)]
        rollups += pipeline.submit(events, NOW).rollups
    rollups += pipeline.flush().rollups
    assert [(rollup.events, rollup.input_tokens) for rollup in rollups if rollup.level == "tenant"] == [(2, 20)]


def test_calls_in_one_trace_have_ids_of_their_own() -> None:
    assert len({*ids(told_by("app", CALL), told_by("app", CALL[:-1] + "5"), told_by("app", CALL, trace="b"))}) == 3


def test_a_span_without_usage_takes_no_place_of_one_with_it() -> None:
    """A client that streams without usage, and its gateway that knows it."""
    client, gateway = ids(told_by("app", CALL, tokens=0), told_by("gateway", CALL))
    assert client != gateway


@pytest.mark.parametrize("response", ["chatcmpl-1", "chatcmpl-mock", "chatcmpl-always-the-same-answer", "", "r"])
def test_ids_that_stand_ins_give_for_ever_name_no_call(response: str) -> None:
    assert len({*ids(told_by("app", response), told_by("gateway", response))}) == 2


def test_an_id_that_one_teller_tells_twice_names_no_call() -> None:
    chat = span(0, "chat", tokens=10, gen_ai__response__id=CALL)
    assert len({*ids(request(chat, chat))}) == 2


def test_ids_of_responses_that_differ_at_their_ends_alone_are_told_apart() -> None:
    long = "resp_" + "x1" * 200
    assert len({*ids(told_by("app", long + "a"), told_by("app", long + "b"))}) == 2


@pytest.mark.parametrize("name", ["app", "gateway.internal", "gateway.internal:4000"])
@pytest.mark.parametrize(
    "host",
    [
        {"server__address": "Gateway.internal", "server__port": 4000},
        {"gen_ai__openai__api_base": "http://u:p@gateway.internal:4000/v1/"},
        {"server__address": "gateway.internal:4000"},
    ],
)
def test_calls_that_another_source_tells_of_are_left_out(name: str, host: dict[str, Any]) -> None:
    record = told_by("app", "r", **host)
    told = Decoder(told_elsewhere=frozenset([name])).decode(record, NOW)
    assert [item.cause for item in told if isinstance(item, Skipped)] == ["told_elsewhere"]
    assert len(ids(record, told_elsewhere=frozenset(["gateway", "internal", "4000", ""]))) == 1


def test_tools_of_who_is_told_elsewhere_count() -> None:
    record = request(span(0, "execute_tool", gen_ai__tool__name="t"), resource={"service.name": "app"})
    assert len(ids(record, told_elsewhere=frozenset(["app"]))) == 1


def test_of_two_tellers_in_one_batch_the_one_that_is_told_elsewhere_does_not_count() -> None:
    items = Decoder(told_elsewhere=frozenset(["gateway"])).decode(gateway_and_client(cost=True), NOW)
    causes = {item.cause for item in items if isinstance(item, Skipped)}
    assert causes == {"told_elsewhere"}
    assert [item.agent for item in items if isinstance(item, UsageEvent)] == ["a"]


def test_tools_in_an_answer_count_only_where_no_spans_tell_of_them() -> None:
    said = '[{"role":"assistant","parts":[{"type":"tool_call","name":"t","arguments":{"a":1}}]}]'
    chat = span(0, "chat", tokens=5, gen_ai__output__messages=said)
    alone = Decoder(hash_key="k").decode(request(chat), NOW)
    beside = Decoder(hash_key="k").decode(request(chat, span(0, "execute_tool", gen_ai__tool__name="t")), NOW)
    assert [item.tool_calls for item in alone if isinstance(item, UsageEvent)] == [1]
    assert [item.tool_calls for item in beside if isinstance(item, UsageEvent)] == [0, 1]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from(OPERATIONS), st.integers(0, 3))))
def test_parents_of_any_shape_circles_too_end_and_no_leaf_with_usage_is_lost(
    shape: list[tuple[int, str, int]],
) -> None:
    spans = [span(parent, operation, tokens=tokens, gen_ai__tool__name="t") for parent, operation, tokens in shape]
    found = counted(*spans)
    parents = {parent for parent, _, _ in shape}
    calls = [n for n, (_, operation, tokens) in enumerate(shape, 1) if operation == "chat" and tokens]
    leaves = [n for n in calls if n not in parents]
    assert set(leaves) <= set(found)


def test_a_chain_longer_than_any_trace_is_soon_decoded() -> None:
    spans = [span(number, "chat", tokens=1) for number in range(1500)]
    assert 1500 in counted(*spans)
