"""How a call was served is told by each format in its own field, and priced by one."""

from decimal import Decimal
from typing import Any

import orjson
import pytest

from streamer.events.decoder import Decoder
from streamer.events.usage import UsageEvent
from streamer.pricing.book import PriceBook
from streamer.pricing.money import FEMTODOLLARS
from tests.streamer.events.formats.test_bedrock import LOG
from tests.streamer.events.formats.test_focus import ROW
from tests.streamer.events.formats.test_once import span
from tests.streamer.events.formats.test_otel import request
from tests.streamer.samples import NOW

BUCKET = {"start_time": 1795219200, "end_time": 1795222800}
RESULT = {"project_id": "p", "model": "gpt-4o", "input_tokens": 1_000_000}
PERIOD = {"starting_at": "2026-11-20T00:00:00Z", "ending_at": "2026-11-21T00:00:00Z"}
CLOUD = {"specversion": "1.0", "type": "t", "source": "s", "id": "1", "time": "2026-11-20T00:00:00Z", "tenant": "acme"}
PAYLOAD = {
    **{"id": "1", "litellm_call_id": "1", "call_type": "acompletion", "status": "success", "endTime": 1795219200},
    **{"model": "gpt-4o", "metadata": {"user_api_key_team_id": "acme"}, "prompt_tokens": 5},
}


def openai(**result: Any) -> dict[str, Any]:
    return {**BUCKET, "results": [{**RESULT, **result}]}


def anthropic(**result: Any) -> dict[str, Any]:
    return {**PERIOD, "results": [{"workspace_id": "w", "model": "claude-sonnet-4-5", **result}]}


def spans(**attributes: Any) -> Any:
    return orjson.loads(request(span(0, "chat", tokens=5, **attributes), resource={"service.name": "acme"}))


def tier(record: Any) -> str:
    (event,) = Decoder().decode(orjson.dumps(record), NOW)
    assert isinstance(event, UsageEvent), event
    return event.tags.get("service_tier", "")


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (openai(service_tier="flex"), "flex"),
        (openai(batch=True), "batch"),
        (openai(batch=True, service_tier="default"), "batch"),
        (openai(batch=False, service_tier="default"), "default"),
        (anthropic(service_tier="batch"), "batch"),
        (anthropic(service_tier="priority"), "priority"),
        (anthropic(service_tier=None), ""),
        ({**LOG, "serviceTier": {"type": "flex"}}, "flex"),
        ({**LOG, "serviceTier": "PRIORITY"}, "priority"),
        ({**LOG, "output": {"outputBodyJson": {"serviceTier": {"type": "reserved"}}}}, "reserved"),
        ({**LOG, "output": {"outputBodyJson": {"usage": {"service_tier": "batch"}}}}, "batch"),
        ({**LOG, "input": {"inputBodyJson": {"service_tier": "flex"}}}, "flex"),
        (
            {**PAYLOAD, "response": {"service_tier": "priority"}, "model_parameters": {"service_tier": "flex"}},
            "priority",
        ),
        ({**PAYLOAD, "response": {"usage": {"service_tier": "batch"}}}, "batch"),
        ({**PAYLOAD, "cost_breakdown": {"service_tier": "flex"}}, "flex"),
        ({**PAYLOAD, "model_parameters": {"service_tier": "auto"}}, ""),
        (
            {**PAYLOAD, "metadata": {"user_api_key_team_id": "a", "usage_object": {"service_tier": "standard"}}},
            "standard",
        ),
        (spans(openai__response__service_tier="flex", openai__request__service_tier="auto"), "flex"),
        (spans(gen_ai__openai__response__service_tier="priority"), "priority"),
        (spans(gen_ai__openai__request__service_tier="auto"), ""),
        ({**ROW, "x_ServiceTier": "Batch"}, "batch"),
        ({**ROW, "Tags": {"service_tier": "flex"}}, "flex"),
        ({**CLOUD, "data": {"model": "m", "service_tier": "batch"}}, "batch"),
        ({**CLOUD, "data": {"model": "m", "usage": {"input_tokens": 5, "service_tier": "batch"}}}, "batch"),
        ({**CLOUD, "data": {"model": "m", "tags": {"team": "a"}}, "servicetier": "batch"}, "batch"),
        ({**CLOUD, "data": {"model": "m", "tags": {"service_tier": "flex"}}, "servicetier": "batch"}, "flex"),
    ],
)
def test_each_format_says_in_its_own_field_how_a_call_was_served(record: Any, expected: str) -> None:
    assert tier(record) == expected


@pytest.mark.parametrize("response", ['{"service_tier": "words of somebody"}', {"service_tier": "x" * 40}])
def test_words_where_a_tier_would_stand_are_none(response: Any) -> None:
    assert tier({**PAYLOAD, "response": response}) == ""


def test_tags_that_stand_beside_a_tier_stay() -> None:
    (event,) = Decoder().decode(orjson.dumps({**CLOUD, "data": {"tags": {"team": "a"}}, "servicetier": "flex"}), NOW)
    assert isinstance(event, UsageEvent)
    assert event.tags == {"team": "a", "service_tier": "flex"}


@pytest.mark.parametrize(("served", "share"), [("batch", "0.5"), ("flex", "0.5"), ("priority", "1"), ("default", "1")])
def test_a_million_tokens_cost_what_their_tier_costs(served: str, share: str) -> None:
    costs = []
    for record in (openai(), openai(service_tier=served)):
        (event,) = Decoder().decode(orjson.dumps(record), NOW)
        assert isinstance(event, UsageEvent)
        costs.append(Decimal(PriceBook().cost(event)[0]) / FEMTODOLLARS)
    assert costs == [Decimal("2.5"), Decimal("2.5") * Decimal(share)]
