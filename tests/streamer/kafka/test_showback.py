"""Showbacks are sent once each, when they are due, whatever clocks, configurations and other receivers do."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alerts.receiver import DeliveryFailed
from alerts.showback import Report
from streamer.config import Config, ShowbackConfig
from streamer.kafka.showback import Showbacks
from streamer.kafka.topics import Topics
from streamer.records import Scope
from streamer.showback.marks import Marks
from streamer.showback.period import Period
from streamer.showback.spend import Holder, Spend, Spent, report_of

START = datetime(2026, 10, 20, tzinfo=UTC).timestamp()


class Said:
    """Keeps what it is told; fails where it is out of order."""

    def __init__(self, broken: bool = False) -> None:
        self.dates: list[str] = []
        self.broken = broken

    async def report(self, report: Report) -> None:
        if self.broken:
            raise DeliveryFailed("channel_not_found", permanent=True)
        self.dates.append(report.dates)


class OfOneDollar(Showbacks):
    """Finds a dollar in each period."""

    async def report(self, one: ShowbackConfig, period: Period) -> Report:
        spend = Spend(period)
        spend.add(Spent("tenant=acme", "tenant", "acme", Scope(), period.start, 0, {"llm": Decimal(1)}))
        assert spend.total(Holder("acme")) == 1
        return report_of(spend, Spend(period.before()), period)


def showback(receiver: str = "console", **fields: Any) -> ShowbackConfig:
    return ShowbackConfig(receiver=receiver, **fields)


def showbacks(*configured: ShowbackConfig, **receivers: Said) -> OfOneDollar:
    config = Config.model_validate(
        {
            "alerts": {
                "receivers": [{"name": name, "type": "console"} for name in {"console", *receivers}],
                "showback": configured,
            }
        }
    )
    return OfOneDollar(config, Topics.named("t."), {}, receivers)


async def send(of: Showbacks, marks: Marks, now: float) -> None:
    of.send_due(marks, now)
    if of._sending is not None:
        await of._sending


@given(
    st.sampled_from(["00:00", "01:30", "02:00", "02:30", "08:00"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
    st.lists(st.integers(-7200, 40_000), max_size=60),
)
@example("08:00", "UTC", [32_400, 86_400, -7200, 7200])
def test_no_period_is_told_of_twice_though_clocks_go_back(at: str, zone: str, steps: list[int]) -> None:
    """Summer time ends in these weeks, and the machine's own clock is set back now and then."""
    said, marks, one = Said(), Marks(), showback(at=at, zone=zone)

    async def live() -> None:
        of, now = showbacks(one, console=said), START
        for step in steps:
            now += step
            await send(of, marks, now)

    asyncio.run(live())
    assert said.dates == sorted(set(said.dates))


async def test_on_the_night_in_which_an_hour_comes_twice_a_day_is_told_of_once() -> None:
    said, marks = Said(), Marks()
    of = showbacks(showback(at="02:30", zone="Europe/Berlin"), console=said)
    for hour in ("00:29", "00:31", "01:29", "01:31"):  # in Berlin 02:29, 02:31, 02:29 and 02:31 again
        await send(of, marks, datetime.fromisoformat(f"2026-10-25T{hour}:00+00:00").timestamp())
    assert said.dates == ["2026-10-23", "2026-10-24"]


async def test_a_later_time_of_day_tells_of_nothing_again() -> None:
    said, marks = Said(), Marks()
    now = datetime(2026, 11, 22, 9, tzinfo=UTC).timestamp()
    await send(showbacks(showback(at="08:00"), console=said), marks, now)
    await send(showbacks(showback(at="10:00"), console=said), marks, now + 60)
    assert said.dates == ["2026-11-21"]


async def test_one_whose_receiver_takes_nothing_holds_up_no_other() -> None:
    broken, said, marks = Said(broken=True), Said(), Marks()
    of = showbacks(showback("gone"), showback("console"), gone=broken, console=said)
    for second in range(3):
        await send(of, marks, START + second)
    assert said.dates == ["2026-10-18"]
    broken.broken = False
    await send(of, marks, START + 10**9)
    assert len(broken.dates) == 1


@pytest.mark.parametrize("told", ["", "2026-10-19T00:00:00+00:00"])
async def test_what_was_sent_by_an_earlier_release_is_known(told: str) -> None:
    said, marks = Said(), Marks()
    if told:
        marks.restore({"console/day": told.encode()})
    await send(showbacks(showback(), console=said), marks, START)
    assert said.dates == ([] if told else ["2026-10-18"])
