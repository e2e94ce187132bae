"""What was rejected is sent again whole, or it is said why that cannot be: never with somebody's words missing."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.events.rejected import Reason, Rejected
from streamer.kafka.dead_letters import MOST_BYTES, DeadLetter, dead_letter
from streamer.kafka.topics import Topics
from streamer.letters.select import Wanted, counts, from_letter, from_source, place, target
from tests.streamer.kafka.fakes import Fake
from tests.streamer.samples import NOON, NOW

TOPICS = Topics.named("t.")


def letter(record: Fake, reason: Reason = "missing_tenant", item: int = 0) -> DeadLetter:
    out = dead_letter(TOPICS.dead_letters, record, Rejected(reason, "why", item), NOW)
    return msgspec.json.decode(out.value or b"", type=DeadLetter)


def raw(value: bytes) -> Fake:
    return Fake(value, TOPICS.raw, 17, 3)


FIRST = {"id": "1", "time": "2026-11-22T10:00:00Z"}
BATCH = raw(orjson.dumps([FIRST, {**FIRST, "messages": ["secret"]}]))


def test_the_source_has_the_item_whole() -> None:
    assert from_source(letter(BATCH, item=1), BATCH) == orjson.dumps({**FIRST, "messages": ["secret"]})
    assert from_source(letter(BATCH, item=0), BATCH) == orjson.dumps(FIRST)
    assert from_source(letter(BATCH, "too_large"), BATCH) == BATCH.value


def test_another_record_at_the_same_offset_is_not_taken_for_it() -> None:
    """The topic was made anew."""
    assert from_source(letter(BATCH), raw(b"{}")) is None
    same_size = raw((BATCH.value or b"").replace(b'"1"', b'"3"'))
    assert from_source(letter(BATCH), same_size) is None


def test_a_letter_that_has_all_of_it_is_enough() -> None:
    assert from_letter(letter(BATCH, item=0)) == orjson.dumps(FIRST)


@pytest.mark.parametrize(
    ("record", "reason", "why"),
    [
        (raw(b'{"id": 1, "messages": []}'), "missing_tenant", "removed"),
        (raw(b'{"said": "words"}'), "unknown_format", "removed"),
        (raw(b'{"id": 1, "prompt": "secre'), "undecodable", "removed"),
        (raw(b"no JSON"), "undecodable", "no JSON"),
        (raw(orjson.dumps({**FIRST, "id": "a" * MOST_BYTES})), "missing_time", "too large"),
        (raw(b"{}"), "too_large", "too large"),
    ],
)
def test_a_letter_that_lacks_something_says_what(record: Fake, reason: Reason, why: str) -> None:
    lacking = from_letter(letter(record, reason))
    assert isinstance(lacking, str)
    assert why in lacking


JSON = st.recursive(
    st.none() | st.integers(-1000, 1000) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "messages", "x"]), inner),
    max_leaves=8,
)


@given(st.lists(JSON, min_size=1, max_size=4), st.data())
def test_what_is_sent_again_is_what_was_rejected(items: Sequence[object], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(items) - 1))
    record = raw(orjson.dumps(items))
    found = letter(record, item=number)
    # A record of one item is sent as it came.
    whole = items if len(items) == 1 else items[number]
    assert orjson.loads(from_source(found, record) or b"") == whole
    kept = from_letter(found)
    assert isinstance(kept, str) or orjson.loads(kept) == items[number]


def test_letters_are_chosen_by_reason_topic_and_time() -> None:
    one = letter(BATCH)
    assert Wanted().has(one)
    assert Wanted(("missing_tenant", "x"), ("raw",), NOON).has(one)
    assert Wanted(topics=("t.raw",)).has(one)
    for other in (Wanted(("x",)), Wanted(topics=("usage",)), Wanted(since=NOON + timedelta(seconds=1))):
        assert not other.has(one)
    assert counts([one, one]) == {("t.raw", "missing_tenant"): 2}
    assert place(one) == "t.raw[3]@17 item 0"


def test_usage_goes_to_raw_feedback_to_feedback_and_nothing_else_anywhere() -> None:
    targets = [target(letter(Fake(b"{}", topic)), TOPICS) for topic in (TOPICS.usage, TOPICS.feedback, TOPICS.acks)]
    assert targets == [TOPICS.raw, TOPICS.feedback, None]
