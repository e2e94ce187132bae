"""The curve of a judged series is what its rollups come to, each counted once."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.curves import Curve
from streamer.records import Rollup, Scope
from streamer.windows.totals import COUNTS
from tests.alerts.build import NOW, START, alert


def rollup(
    number: int = 0, part: int = 0, series: str = "tenant=acme", usd: Mapping[str, str] = {}, **counts: int
) -> Rollup:
    """A rollup of a window of ten seconds."""
    start = START + timedelta(seconds=10 * number)
    names = COUNTS
    split: Any = {kind: Decimal(amount) for kind, amount in usd.items()}
    return Rollup(
        series=series,
        level="tenant",
        tenant="acme",
        scope=Scope(),
        start=start,
        end=start + timedelta(seconds=10),
        late=part > 0,
        part=part,
        **{name: counts.get(name, 0) for name in names},
        usd=sum(split.values(), Decimal(0)),
        usd_by_kind=split,
    )


def values(series: str, *rollups: Rollup) -> list[float]:
    return [round(sample.value, 6) for sample in Curve(series).history(rollups, NOW).samples]


def test_what_is_judged_in_numbers_that_rollups_lack_is_drawn_in_the_nearest_that_they_have() -> None:
    window = rollup(requests=4, input_tokens=900, output_tokens=100)
    assert values("tenant=acme#sessions", window) == values("tenant=acme#requests", window)
    assert values("tenant=acme#growth", window) == values("tenant=acme#size", window) == [250.0]
    assert values("tenant=acme#output", window) == [25.0]


def test_a_rate_is_in_the_unit_that_people_read() -> None:
    assert values("tenant=acme#requests", rollup(requests=7)) == [42.0]
    assert values("tenant=acme#usd", rollup(usd={"llm": "0.25", "tool": "0.25"})) == [180.0]
    assert values("tenant=acme#tokens", rollup(input_tokens=5, output_tokens=1)) == [36.0]
    assert values("tenant=acme#budget-usd-quarter", rollup(usd={"llm": "0.1"})) == [36.0]


def test_a_ratio_is_of_each_window_that_has_one() -> None:
    assert values("tenant=acme#size", rollup(requests=2, input_tokens=100, output_tokens=20), rollup(1)) == [60.0]
    assert values("tenant=acme#price", rollup(input_tokens=1000, usd={"llm": "0.003"})) == [3.0]
    assert values("tenant=acme#uncached", rollup(input_tokens=100, cache_read_tokens=80)) == [20.0]
    assert values("tenant=acme#evaluation", rollup(usd={"llm": "4", "evaluation": "1"})) == [25.0]


def test_windows_in_which_nothing_came_are_nothing() -> None:
    assert values("tenant=acme#requests", rollup(0, requests=1), rollup(3, requests=1)) == [6.0, 0.0, 0.0, 6.0]
    assert values("tenant=acme#size", rollup(0, requests=1, input_tokens=5), rollup(3)) == [5.0]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 9)), unique_by=lambda each: each[:2]),
    st.data(),
)
def test_late_parts_add_up_and_repeats_do_not(parts: list[tuple[int, int, int]], data: st.DataObject) -> None:
    rollups = [rollup(number, part, requests=requests) for number, part, requests in parts]
    repeated = data.draw(st.permutations([*rollups, *rollups]))
    sums = {number: sum(r for n, _, r in parts if n == number) for number, _, _ in parts}
    whole = [6.0 * sums.get(number, 0) for number in range(min(sums), max(sums) + 1)] if sums else []
    assert values("tenant=acme#requests", *repeated) == whole


def test_the_kinds_of_cost_are_those_since_the_incident() -> None:
    spent = [rollup(number, usd={"llm": "1", "saas": "0.5"}) for number in range(-2, 2)]
    assert Curve("tenant=acme#usd").history(spent, NOW).split == {"llm": Decimal(2), "saas": Decimal(1)}


@pytest.mark.parametrize(
    ("series", "key", "takes"),
    [
        ("tenant=acme#usd", b"tenant=acme", True),
        ("tenant=acme#usd", b"tenant=acme/use_case=support", False),
        ("tenant=acme#usd", b"tenant=acme2", False),
        ("tenant=acme/use_case=a%2Fb#usd", b"tenant=acme/use_case=a%2Fb", True),
        ("tenant=acme/session=s1#loop", b"tenant=acme/session=s1", True),
        ("tenant=acme/session=s1#loop", b"tenant=acme/use_case=u/agent=a/session=s1", True),
        ("tenant=acme/session=s1#loop", b"tenant=acme2/use_case=u/agent=a/session=s1", False),
        ("tenant=acme/session=s1#loop", b"tenant=acme/use_case=u/agent=a/session=s11", False),
        ("tenant=acme#usd", None, False),
        ("tenant=acme#usd", b"\xff", False),
    ],
)
def test_only_the_rollups_of_the_series_belong_to_it(series: str, key: bytes | None, takes: bool) -> None:
    assert Curve(series).takes(key) is takes


def test_what_a_detector_expects_is_brought_into_the_unit() -> None:
    rate = Curve("tenant=acme#requests").history([rollup()], NOW)
    assert rate.scaled(20.0, alert(seconds=10.0)) == 120.0
    assert rate.scaled(20.0, alert()) is None
    assert Curve("tenant=acme#uncached").history([rollup()], NOW).scaled(0.2, alert()) == 20.0
    assert Curve("tenant=acme#budget-usd").history([rollup()], NOW).scaled(2000.0, alert()) is None
