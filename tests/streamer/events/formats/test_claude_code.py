"""Anthropic's report of Claude Code: each model that somebody used on a day."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from streamer.events.decoder import Decoded, Decoder
from streamer.events.rejected import Rejected
from streamer.events.skipped import Skipped
from streamer.events.usage import UsageEvent
from tests.streamer.events.formats.golden import FOLDER
from tests.streamer.samples import NOW

PAGE: dict[str, Any] = orjson.loads(Path(FOLDER / "claude_code.json").read_bytes())
RECORD = PAGE["data"][0]


def decode(record: Any, now: float = NOW, **settings: Any) -> list[Decoded]:
    return Decoder(**settings).decode(orjson.dumps(record), now)


def events(record: Any, **settings: Any) -> list[UsageEvent]:
    return [item for item in decode(record, **settings) if isinstance(item, UsageEvent)]


def test_cached_tokens_become_part_of_the_input_and_cents_dollars() -> None:
    event = events(PAGE)[0]
    assert (event.input_tokens, event.cache_read_tokens, event.cache_write_tokens) == (115_000, 10_000, 5_000)
    assert (str(event.cost_usd), event.user, event.use_case) == ("4.255", "alice@example.com", "claude_code")


def test_records_may_come_one_by_one_or_in_lines() -> None:
    assert [event for record in PAGE["data"] for event in events(record)] == events(PAGE)


def test_a_day_that_is_not_over_is_refused_until_it_is() -> None:
    today = {**RECORD, "date": "2026-11-22T00:00:00Z"}
    assert [item.reason for item in decode(today) if isinstance(item, Rejected)] == ["impossible_time"] * 2
    assert len(decode(today, NOW + 86_400)) == 2


def test_a_record_that_comes_again_with_other_counts_is_the_same() -> None:
    more = [{**model, "tokens": {"input": 1}} for model in RECORD["model_breakdown"]]
    assert [event.id for event in events({**RECORD, "model_breakdown": more})] == [event.id for event in events(RECORD)]
    ids = {event.id for event in (*events(PAGE), *events({**RECORD, "terminal_type": "tmux"}))}
    assert len(ids) == 5


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"date": "yesterday"}, "impossible_time"),
        ({"date": "9999-12-31T00:00:00Z"}, "impossible_time"),
        ({"date": None}, "missing_time"),
        ({"organization_id": None}, "missing_tenant"),
        ({"model_breakdown": [{"model": "m", "tokens": {"input": "many"}}]}, "wrong_type"),
        ({"model_breakdown": [{"model": "m", "tokens": {"input": -1}}]}, "negative_count"),
        ({"model_breakdown": [{"model": "m", "estimated_cost": {"amount": 1, "currency": "EUR"}}]}, "unknown_currency"),
    ],
)
def test_a_bad_record_has_a_named_reason(change: dict[str, Any], reason: str) -> None:
    item = decode({**RECORD, **change})[0]
    assert isinstance(item, Rejected)
    assert item.reason == reason


def test_nobody_who_used_nothing_is_an_event() -> None:
    assert decode({**RECORD, "model_breakdown": []}) == [Skipped("no_usage")]
