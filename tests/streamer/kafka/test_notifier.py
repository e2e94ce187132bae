"""Notifications: one delivery an incident at a time, pauses after failures, and nothing that ends the worker."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from alerts.channels import Channels
from alerts.dispatcher import Dispatcher
from alerts.notification import Notification
from alerts.receiver import DeliveryFailed, Receiver
from alerts.routes import Route
from alerts.storm import StormRule
from streamer.kafka import notifier as module
from streamer.kafka.backoff import Backoff
from streamer.kafka.notifier import Notifier
from streamer.web.metrics import Metrics
from tests.alerts.build import NOW, TRIAGE, alert
from tests.streamer.kafka.fakes import sample


class Clock:
    """The wall clock, moved by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class FakeReceiver:
    """Keeps what it is sent, or fails with the next of `errors`; waits while `gate` is closed."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.tried: list[Notification] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.under_way = self.most_under_way = 0

    async def send(self, notification: Notification) -> str:
        self.tried.append(notification)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.gate.wait()
        finally:
            self.under_way -= 1
        if self.errors:
            raise self.errors.pop(0)
        return f"ref-{len(self.tried)}"


class Bench:
    """A dispatcher with one incident that is due, and a notifier that is to send it."""

    def __init__(
        self,
        receiver: FakeReceiver,
        clock: Clock,
        *,
        configured: bool = True,
        others: dict[str, Receiver] | None = None,
        **options: Any,
    ) -> None:
        self.clock, self.receiver, self.fallback = clock, receiver, FakeReceiver()
        self.metrics, self.dead = Metrics(), Channels()
        calm = StormRule(tenants=1000, incidents=1000)
        self.dispatcher = Dispatcher([Route(receiver="team", group_wait=0, group_interval=0)], storm=calm)
        receivers: dict[str, Receiver] = {"team": receiver, **(others or {})} if configured else {}
        self._made = lambda: Notifier(receivers, self.fallback, self.metrics, chance=lambda: 1.0, **options)
        self.notifier = self._made()
        self.dispatcher.submit(alert(), NOW)

    def start_again(self, written: dict[str, bytes]) -> None:
        """Another process takes the state up."""
        self.dead = Channels()
        self.dead.restore(written)
        self.notifier = self._made()

    async def at(self, seconds: float) -> None:
        """Let the worker send what is due, `seconds` after NOW, and all that is under way come to its end."""
        self.clock.now = NOW + seconds
        list(self.dispatcher.changes())
        self.notifier.send_due(self.dispatcher, self.dead, self.clock.now)
        for _ in range(5):
            await asyncio.sleep(0)

    def pending(self) -> list[Notification]:
        return list(self.dispatcher.pending(self.clock.now))

    def count(self, result: str) -> float:
        return sample(self.metrics, "tidegate_notifications_total", receiver="team", result=result)


Make = Callable[..., Bench]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Make:
    clock = Clock()
    monkeypatch.setattr(module, "wall", clock)

    def make(*errors: Exception, **options: Any) -> Bench:
        return Bench(FakeReceiver(*errors), clock, **options)

    return make


def passing() -> DeliveryFailed:
    return DeliveryFailed("ratelimited", permanent=False)


async def test_what_is_due_is_sent_and_marked_delivered(bench: Make) -> None:
    known = bench()
    await known.at(0)
    assert [sent.because for sent in known.receiver.tried] == ["new"]
    assert known.pending() == []
    assert known.count("delivered") == 1
    known.dispatcher.submit(alert("a2", labels={**TRIAGE, "agent": "other"}), NOW + 1)
    await known.at(1)
    assert known.receiver.tried[1].previous == "ref-1"


async def test_an_incident_has_never_two_deliveries_at_once(bench: Make) -> None:
    known = bench()
    known.receiver.gate.clear()
    for second in range(5):
        await known.at(second)
    assert len(known.receiver.tried) == 1
    known.receiver.gate.set()
    await known.at(5)
    assert known.receiver.most_under_way == 1
    assert known.pending() == []


async def test_two_incidents_are_sent_side_by_side(bench: Make) -> None:
    known = bench()
    known.dispatcher.submit(alert("a2", labels={**TRIAGE, "tenant": "beta"}), NOW)
    known.receiver.gate.clear()
    await known.at(0)
    assert known.receiver.most_under_way == 2
    known.receiver.gate.set()
    await known.at(1)


async def test_a_failure_that_may_pass_is_tried_again_after_growing_pauses(bench: Make) -> None:
    known = bench(passing(), passing(), passing())
    tried = []
    for quarter in range(40):
        await known.at(quarter / 4)
        tried.append(len(known.receiver.tried))
    first = [tried.index(count) / 4 for count in (1, 2, 3, 4)]
    assert first == [0, 1, 3, 7]
    assert tried[-1] == 4
    assert known.pending() == []
    assert (known.count("failed"), known.count("delivered")) == (3, 1)
    assert known.fallback.tried == []


async def test_a_pause_is_never_longer_than_a_minute(bench: Make) -> None:
    known = bench(*[passing() for _ in range(12)])
    for second in range(600):
        await known.at(second)
    assert len(known.receiver.tried) == 13
    assert known.pending() == []


async def test_after_a_delivery_the_pauses_begin_anew(bench: Make) -> None:
    known = bench(passing())
    await known.at(0)
    await known.at(1)
    known.receiver.errors.append(passing())
    known.dispatcher.submit(alert("a2", labels={**TRIAGE, "agent": "other"}), NOW + 1)
    await known.at(2)
    await known.at(3)
    assert len(known.receiver.tried) == 4
    assert known.pending() == []


async def test_what_is_refused_for_good_goes_to_the_fallback_and_is_done(bench: Make) -> None:
    known = bench(DeliveryFailed("channel_not_found", permanent=True))
    for second in range(5):
        await known.at(second)
    assert len(known.receiver.tried) == len(known.fallback.tried) == 1
    assert known.pending() == []
    assert (known.count("refused"), known.count("failed")) == (1, 0)


async def test_a_message_that_was_sent_before_is_still_the_one_to_edit_after_a_refusal(bench: Make) -> None:
    known = bench()
    await known.at(0)
    known.receiver.errors.append(DeliveryFailed("msg_too_long", permanent=True))
    known.dispatcher.submit(alert("a2", labels={**TRIAGE, "agent": "other"}), NOW + 1)
    await known.at(1)
    known.dispatcher.submit(alert("a3", labels={**TRIAGE, "agent": "third"}), NOW + 2)
    await known.at(2)
    assert known.receiver.tried[-1].previous == "ref-1"


@pytest.mark.parametrize("error", [RuntimeError("a bug"), KeyError("ts"), OSError("no route")])
async def test_an_error_that_nobody_foresaw_is_tried_again_in_no_haste(error: Exception, bench: Make) -> None:
    known = bench(error)
    for quarter in range(4):
        await known.at(quarter / 4)
    assert len(known.receiver.tried) == 1
    assert known.count("failed") == 1
    await known.at(1)
    assert known.pending() == []


async def test_a_fallback_that_fails_ends_nothing(bench: Make) -> None:
    known = bench(*[DeliveryFailed("channel_not_found", permanent=True) for _ in range(2)])
    known.fallback.errors.append(ValueError("I/O operation on closed file"))
    await known.at(0)
    await known.at(0.5)
    assert len(known.fallback.tried) == 1
    await known.at(1)
    assert len(known.fallback.tried) == 2
    assert known.pending() == []


async def test_an_incident_whose_receiver_is_no_longer_configured_goes_to_the_fallback(bench: Make) -> None:
    known = bench(configured=False)
    await known.at(0)
    assert len(known.fallback.tried) == 1
    assert known.pending() == []


async def test_to_a_stalled_receiver_so_many_deliveries_are_under_way_and_the_rest_is_held(bench: Make) -> None:
    known = bench()
    for number in range(30):
        known.dispatcher.submit(alert(f"b{number}", labels={**TRIAGE, "tenant": f"t{number}"}), NOW)
    known.receiver.gate.clear()
    await known.at(0)
    await known.at(1)
    assert known.receiver.most_under_way == 16
    assert sample(known.metrics, "tidegate_notifications_held", receiver="team") == 15
    known.receiver.gate.set()
    await known.at(2)
    await known.at(3)
    assert known.pending() == []
    assert sample(known.metrics, "tidegate_notifications_held", receiver="team") == 0


async def test_what_tells_of_a_command_is_sent_first(bench: Make) -> None:
    known = bench()
    commanded = known.dispatcher.submit(alert("a2", labels={**TRIAGE, "tenant": "beta"}), NOW)
    assert commanded is not None
    known.dispatcher.remarks.throttled(commanded.id, "tenant=beta")
    await known.at(0)
    assert known.receiver.tried[0].incident.id == commanded.id


async def test_closing_waits_for_what_is_under_way(bench: Make) -> None:
    known = bench()
    known.receiver.gate.clear()
    await known.at(0)
    closing = asyncio.create_task(known.notifier.close())
    await asyncio.sleep(0)
    assert not closing.done()
    known.receiver.gate.set()
    await closing
    assert known.pending() == []


async def test_closing_with_nothing_under_way_is_immediate(bench: Make) -> None:
    await bench().notifier.close()


async def test_a_receiver_that_asks_to_be_left_alone_is_left_alone(bench: Make) -> None:
    """Retry-After holds for all of the receiver's incidents."""
    known = bench(DeliveryFailed("status 429", permanent=False, retry_after=30))
    await known.at(0)
    known.dispatcher.submit(alert("a2", labels={**TRIAGE, "tenant": "beta"}), NOW + 1)
    for second in range(1, 30):
        await known.at(second)
    assert len(known.receiver.tried) == 1
    await known.at(30)
    assert len(known.receiver.tried) == 2
    await known.at(31)
    assert known.pending() == []


async def test_no_pause_is_shorter_than_half_of_what_it_could_be() -> None:
    found = Backoff(iter([0.0, 1.0, 0.5]).__next__)
    pauses = []
    now = 0.0
    for _ in range(3):
        found.failed("team", now)
        later = next(step / 100 for step in range(100_000) if found.may_go("team", now + step / 100))
        pauses.append(later)
        now += later
    assert pauses == [0.5, 2.0, 3.0]


async def test_of_an_incident_nothing_further_is_sent_before_the_last_is_written_down(bench: Make) -> None:
    """Else a crash would repeat both."""
    known = bench()
    await known.at(0)
    known.dispatcher.submit(alert("a1", "closed", after=1), NOW + 1)
    known.notifier.send_due(known.dispatcher, known.dead, NOW + 1)
    await asyncio.sleep(0)
    assert len(known.receiver.tried) == 1
    await known.at(1)
    assert [sent.because for sent in known.receiver.tried] == ["new", "resolved"]


async def test_after_ten_minutes_of_outage_all_know_how_it_stands_and_heard_nothing_twice(
    bench: Make,
) -> None:
    """Incidents begin and end while the receiver is down; the fallback says so, and says when it is back."""
    elsewhere = FakeReceiver()
    down = [passing() for _ in range(1000)]
    known = bench(*down, others={"elsewhere": elsewhere}, fallback="elsewhere", dead_after=300)
    for number in range(40):
        known.dispatcher.submit(alert(f"b{number}", labels={**TRIAGE, "tenant": f"t{number}"}), NOW)
    for second in range(0, 600, 2):
        if second == 200:
            for number in range(0, 40, 2):
                closed = alert(f"b{number}", "closed", after=200, labels={**TRIAGE, "tenant": f"t{number}"})
                known.dispatcher.submit(closed, NOW + 200)
        await known.at(second)
    failed = len(known.receiver.tried)
    # One probe at a time, a minute apart at the most: nobody hammers a receiver that is down.
    assert failed < 16 + 30
    known.receiver.errors.clear()
    for second in range(600, 700):
        await known.at(second)
    assert known.pending() == []
    taken = known.receiver.tried[failed:]
    assert len(taken) == 41
    final = {name: sent.because for sent in taken for name in sent.incident.alerts}
    assert final == {"a1": "new", **{f"b{n}": "new" if n % 2 else "resolved" for n in range(40)}}
    assert [sent.because for sent in elsewhere.tried] == ["new", "resolved"]
    assert "takes no notifications (ratelimited), 41 wait" in elsewhere.tried[0].incident.main.reason
    assert sample(known.metrics, "tidegate_receiver_failing", receiver="team") == 0


async def test_what_one_receiver_refuses_another_gets(bench: Make) -> None:
    elsewhere = FakeReceiver()
    known = bench(
        DeliveryFailed("channel_not_found", permanent=True), others={"elsewhere": elsewhere}, fallback="elsewhere"
    )
    await known.at(0)
    assert [len(one.tried) for one in (known.receiver, elsewhere, known.fallback)] == [1, 1, 0]
    assert known.pending() == []


async def test_where_the_fallback_fails_too_the_last_resort_gets_it(bench: Make) -> None:
    elsewhere = FakeReceiver(passing())
    known = bench(
        DeliveryFailed("channel_not_found", permanent=True), others={"elsewhere": elsewhere}, fallback="elsewhere"
    )
    await known.at(0)
    assert len(known.fallback.tried) == 1
    assert known.pending() == []


@pytest.mark.slow
async def test_a_stalled_receiver_costs_the_next_tick_nothing(bench: Make) -> None:
    """What is held is not even put together."""
    known = bench()
    known.receiver.gate.clear()
    for number in range(1000):
        known.dispatcher.submit(alert(f"b{number}", labels={**TRIAGE, "tenant": f"t{number}"}), NOW)
    await known.at(0)
    asked = []
    known.dispatcher.pending = lambda now, wanted: iter(asked.append(wanted) or ())  # type: ignore[method-assign,func-returns-value]
    known.notifier.send_due(known.dispatcher, known.dead, NOW)
    assert not any(asked[0](incident) for incident in known.dispatcher.open_incidents())
    known.receiver.gate.set()
    await known.notifier.close()


@pytest.mark.parametrize("dies", [100, 299, 302, 400], ids="{} s".format)
async def test_a_restart_neither_forgets_a_dead_receiver_nor_tells_of_it_again(bench: Make, dies: int) -> None:
    elsewhere = FakeReceiver()
    down = [passing() for _ in range(1000)]
    known = bench(*down, others={"elsewhere": elsewhere}, fallback="elsewhere", dead_after=300)
    written: dict[str, bytes] = {}
    for second in range(0, 600):
        if second == dies:
            known.start_again(written)
        await known.at(second)
        written |= {name: state for name, state in known.dead.changes() if state}
    assert [sent.because for sent in elsewhere.tried] == ["new"]
    known.start_again(written)
    known.receiver.errors.clear()
    for second in range(600, 700):
        await known.at(second)
    assert [sent.because for sent in elsewhere.tried] == ["new", "resolved"]
    assert elsewhere.tried[0].incident.opened_at.timestamp() == NOW
    assert [name for name, state in known.dead.changes() if state is None] == ["team"]


async def test_a_report_that_the_crash_caught_is_made_again(bench: Make) -> None:
    """Neither the fallback nor the last resort takes it at first."""
    elsewhere = FakeReceiver(*[passing() for _ in range(3)])
    known = bench(*[passing() for _ in range(99)], others={"elsewhere": elsewhere}, fallback="elsewhere", dead_after=10)
    known.fallback.errors += [ValueError("closed") for _ in range(3)]
    for second in range(60):
        await known.at(second)
    assert len(elsewhere.tried) == 4
    assert len(known.fallback.tried) == 3
