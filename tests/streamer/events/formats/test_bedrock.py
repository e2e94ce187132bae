"""Bedrock's invocation logs, alone or in CloudWatch's envelope."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from streamer.events.decoder import Decoded, Decoder
from streamer.events.rejected import Rejected
from streamer.events.usage import UsageEvent
from tests.streamer.events.formats.payloads.told import hashed
from tests.streamer.samples import NOW

LOG: dict[str, Any] = {
    "schemaType": "ModelInvocationLog",
    "timestamp": "2026-11-22T00:00:00Z",
    "accountId": "123456789012",
    "requestId": "r1",
    "operation": "Converse",
    "modelId": "amazon.nova-lite-v1:0",
    "input": {"inputTokenCount": 10},
    "output": {"outputTokenCount": 5},
}


def decode(record: Any) -> list[Decoded]:
    return Decoder(hash_key="k").decode(orjson.dumps(record), NOW)


def one(**changes: Any) -> UsageEvent:
    (event,) = decode({**LOG, **changes})
    assert isinstance(event, UsageEvent), event
    return event


def test_the_payload_says_what_its_log_says(payloads: Path) -> None:
    log = json.loads((payloads / "other" / "bedrock_model_invocation_log.handmade.json").read_text())
    (event,) = decode(log)
    total = log["output"]["outputBodyJson"]["usage"]["totalTokens"]
    assert event == UsageEvent(
        id=log["requestId"],
        source="bedrock",
        time=datetime(2026, 11, 20, 8, 30, tzinfo=UTC),
        tenant="search",
        provider="bedrock",
        model=log["modelId"],
        input_tokens=total - log["output"]["outputTokenCount"],
        output_tokens=log["output"]["outputTokenCount"],
        cache_read_tokens=log["input"]["cacheReadInputTokenCount"],
        requests=1,
        steps=1,
        user=log["identity"]["arn"],
        tags={"team": "search", "region": "us-east-1"},
    )


def test_an_answer_of_the_api_is_no_log(payloads: Path) -> None:
    (item,) = decode(json.loads((payloads / "other" / "bedrock_converse_response.handmade.json").read_text()))
    assert isinstance(item, Rejected)
    assert item.reason == "unknown_format"


def test_the_account_owns_what_names_nobody() -> None:
    assert one().tenant == "123456789012"
    assert one(requestMetadata={"tenant": "acme", "agent": "a"}).tenant == "acme"
    assert one(requestMetadata={"tenant": "acme", "agent": "a"}).agent == "a"


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"),
    ],
)
def test_a_model_is_named_by_its_id_or_its_arn(model: str, expected: str) -> None:
    assert one(modelId=model).model == expected


def test_embeddings_are_no_step_and_errors_are_errors() -> None:
    assert one(modelId="amazon.titan-embed-text-v2:0").steps == 0
    assert one(errorCode="ThrottlingException").status == "error"
    assert (one().status, one().steps) == ("ok", 1)


def test_tokens_may_be_in_the_body_alone() -> None:
    usage = {"inputTokens": 7, "outputTokens": 3, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 0}
    event = one(input={}, output={"outputBodyJson": {"usage": usage}})
    assert (event.input_tokens, event.output_tokens, event.cache_read_tokens) == (107, 3, 100)


def test_the_chunks_of_a_stream_of_nova_are_put_together() -> None:
    chunks = [
        {"messageStart": {"role": "assistant"}},
        {
            "contentBlockStart": {
                "start": {"toolUse": {"toolUseId": "t", "name": "get_weather"}},
                "contentBlockIndex": 0,
            }
        },
        {"contentBlockDelta": {"delta": {"toolUse": {"input": '{"city": '}}, "contentBlockIndex": 0}},
        {"contentBlockDelta": {"delta": {"toolUse": {"input": '"Paris"}'}}, "contentBlockIndex": 0}},
        {"metadata": {"usage": {"inputTokens": 5, "outputTokens": 7, "cacheReadInputTokenCount": 20}, "metrics": {}}},
    ]
    event = one(operation="InvokeModelWithResponseStream", input={}, output={"outputBodyJson": chunks})
    assert (event.input_tokens, event.output_tokens, event.cache_read_tokens) == (25, 7, 20)
    assert (event.tool, event.tool_calls, event.tool_args_hash) == ("get_weather", 1, hashed('{"city": "Paris"}'))


def test_cloudwatch_sends_logs_in_an_envelope() -> None:
    events = [{"id": "1", "timestamp": 1, "message": json.dumps(LOG)}, {"message": LOG}, {"message": "no log"}, 5]
    first, second, *bad = decode({"logGroup": "g", "logEvents": events})
    assert first == second == one()
    assert [(item.reason, item.item) for item in bad if isinstance(item, Rejected)] == [
        ("unknown_format", 2),
        ("unknown_format", 3),
    ]
