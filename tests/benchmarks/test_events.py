from decimal import Decimal
from itertools import islice

import msgspec
import pytest

from benchmarks import topics
from benchmarks.contenders import job
from benchmarks.events import Log, Stream, closed
from benchmarks.live import Tally
from benchmarks.load import fresh
from streamer.events.usage import UsageEvent

COUNT = 3000
# The traffic need not have come to its full strength.
STREAM = Stream(1_790_000_000.0, warm_up=3.0)


@pytest.fixture(scope="module")
def log() -> Log:
    return closed(STREAM.first(COUNT), STREAM.begin, topics.markers())


def test_a_log_has_two_markers_a_partition_the_events_asked_for_and_one_closing_event_a_tenant(log):
    assert len(log.opening) == 2 * topics.PARTITIONS
    assert len(log.records) == COUNT + len(log.totals)


def test_markers_lie_on_a_partition_each():
    assert [topics.partition_of(marker) for marker in topics.markers()] == list(range(topics.PARTITIONS))


def test_all_events_are_good_usage_events(log):
    events = [msgspec.json.decode(value, type=UsageEvent) for _, value in log.opening + log.records]
    assert len({event.id for event in events}) == len(events)
    assert [event.tenant for event in events] == [tenant for tenant, _ in log.opening + log.records]


def test_what_the_job_closes_adds_up_to_what_the_log_says_of_its_opening_and_of_all(log):
    tally, tenants = Tally(), {}
    for records, expected in ((log.opening, log.opened), (log.records, log.totals)):
        for _, value in records:
            usage = job.decode(value)
            for window in job.add(tenants.setdefault(usage.tenant, {}), usage):
                tally.take(job.encode(window), 1.0)
        assert tally.totals == expected


def test_a_shorter_log_is_the_beginning_of_a_longer_one(log):
    assert closed(STREAM.first(100), STREAM.begin, topics.markers()).records[:100] == log.records[:100]


def test_repeated_traffic_is_other_sessions_with_other_ids():
    values = [value for _, value in islice(fresh(STREAM.first(50)), 150)]
    events = [msgspec.json.decode(value, type=UsageEvent) for value in values]
    assert len({event.id for event in events}) == 150
    assert len({event.session for event in events}) == 3 * len({event.session for event in events[:50]})


def test_the_job_closes_a_window_once_an_event_is_past_its_end_by_the_lateness():
    windows: job.Open = {}
    closed = [job.add(windows, _usage(at)) for at in (0, 9, 14, 15)]
    assert closed == [[], [], [], [job.Closed("acme", 0.0, 6, Decimal("0.2"))]]


def _usage(second: int) -> job.Usage:
    event = {"tenant": "acme", "time": f"1970-01-01T00:00:{second:02d}Z", "input_tokens": 3, "cost_usd": "0.1"}
    return job.decode(msgspec.json.encode(event))
