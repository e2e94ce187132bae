"""Pictures follow the message: shared in its thread, shown in it, and never in its way."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO

import pytest
from matplotlib.image import imread

from alerts.alert import Alert
from alerts.history import History, Sample, joined, told
from alerts.incident import Incident
from alerts.slack.app import SlackApp
from alerts.slack.chart import band, draw
from alerts.slack.client import SlackReceiver
from tests.alerts.build import NOW, alert, incident, notification
from tests.slack.standin import TOKEN, Message, SlackStandIn, page, refused, server_error

SAMPLES = tuple(Sample(NOW + 10 * n, 20.0 if n < 0 else 240.0) for n in range(-60, 30))
PAST = History(unit="requests a minute", per=60.0, samples=SAMPLES)


class Historian:
    """Knows one history, or fails, or is slow."""

    def __init__(self, known: History | None = PAST, error: Exception | None = None) -> None:
        self.known, self.error, self.asked = known, error, 0

    async def of(self, _: Incident) -> History | None:
        self.asked += 1
        if self.error:
            raise self.error
        return self.known


@pytest.fixture
async def slack(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SlackStandIn]:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with SlackStandIn() as slack:
        yield slack


def receiver(slack: SlackStandIn, historian: Historian) -> SlackReceiver:
    app = SlackApp(TOKEN, base_url=slack.base_url, timeout=5, spacing=0)
    return SlackReceiver(app, "#finops", historian, pauses=(0, 0))


def burst(state: str = "opened", after: float = 0.0) -> Alert:
    assert state in ("opened", "updated", "closed")
    return alert(state=state, after=after, series="tenant=acme#requests", seconds=10.0)  # type: ignore[arg-type]


def top(slack: SlackStandIn) -> Message:
    return next(message for message in slack.messages.values() if message.thread_ts is None)


def pictures(slack: SlackStandIn) -> list[str]:
    """The files in the thread."""
    return [message.file for message in slack.messages.values() if message.file]


def shown(slack: SlackStandIn) -> list[str]:
    """The files in the message itself."""
    return [block["slack_file"]["id"] for block in top(slack).blocks if block["type"] == "image"]


async def test_the_message_comes_first_then_its_picture(slack: SlackStandIn) -> None:
    await receiver(slack, Historian()).send(notification(incident(burst())))
    assert slack.methods == [
        "chat.postMessage",
        "files.getUploadURLExternal",
        "files.completeUploadExternal",
        "chat.update",
    ]
    assert shown(slack) == pictures(slack) == ["F00001"]
    assert imread(BytesIO(slack.files["F00001"].content)).shape[:2] == (800, 1080)


async def test_an_edit_keeps_the_picture_until_it_is_old(slack: SlackStandIn) -> None:
    to, told_ = receiver(slack, Historian()), incident(burst())
    ref = await to.send(notification(told_))
    for after, files in ((30, 1), (60, 2), (110, 2), (120, 3), (230, 3), (240, 4)):
        told_.take(burst("updated", after))
        await to.send(notification(told_, "changed", ref))
        assert len(pictures(slack)) == files
        assert shown(slack) == [f"F{files:05d}"]


async def test_the_end_has_a_picture_of_its_own(slack: SlackStandIn) -> None:
    to, told_ = receiver(slack, Historian()), incident(burst())
    ref = await to.send(notification(told_))
    told_.take(burst("closed", 5))
    await to.send(notification(told_, "resolved", ref))
    assert shown(slack) == ["F00002"]


@pytest.mark.parametrize("looks", [1, 2])
async def test_a_file_that_slack_still_looks_at_is_shown_a_little_later(slack: SlackStandIn, looks: int) -> None:
    slack.looks = looks
    app = SlackApp(TOKEN, base_url=slack.base_url, timeout=5, spacing=0)
    await SlackReceiver(app, "#finops", Historian(), pauses=(0, 0, 0)).send(notification(incident(burst())))
    assert shown(slack) == ["F00001"]


async def test_a_file_that_slack_never_shows_stays_in_the_thread(slack: SlackStandIn) -> None:
    slack.looks = 99
    to, told_ = receiver(slack, Historian()), incident(burst())
    ref = await to.send(notification(told_))
    told_.take(burst("updated", 30))
    assert await to.send(notification(told_, "changed", ref)) == ref
    assert (shown(slack), pictures(slack)) == ([], ["F00001"])


@pytest.mark.parametrize(
    "method", ["files.getUploadURLExternal", "upload", "files.completeUploadExternal", "chat.update"]
)
@pytest.mark.parametrize("failure", [refused("missing_scope"), page(502)], ids=["refused", "page"])
async def test_a_picture_that_fails_stops_nothing(slack: SlackStandIn, method: str, failure: object) -> None:
    assert isinstance(failure, type(server_error()))
    slack.fail_next(failure, method=method)
    ref = await receiver(slack, Historian()).send(notification(incident(burst())))
    assert ref.endswith(":1795341600.000001")
    assert len(top(slack).blocks) >= 5


async def test_a_history_that_breaks_stops_nothing(slack: SlackStandIn) -> None:
    assert await receiver(slack, Historian(error=RuntimeError("broken"))).send(notification(incident(burst())))
    assert slack.methods == ["chat.postMessage"]


async def test_a_drawing_that_breaks_stops_nothing(slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bytes:
        raise ValueError("no font")

    monkeypatch.setattr("alerts.slack.chart.draw", broken)
    assert await receiver(slack, Historian()).send(notification(incident(burst())))


async def test_drawing_holds_up_nothing_else(slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a picture is drawn, the loop goes on."""
    started, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(*_: object) -> None:
        loop.call_soon_threadsafe(started.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(5)

    monkeypatch.setattr("alerts.slack.chart.draw", slow)
    sending = asyncio.create_task(receiver(slack, Historian()).send(notification(incident(burst()))))
    await asyncio.wait_for(started.wait(), 5)
    assert top(slack)
    go_on.set()
    assert await sending


async def test_notes_are_said_once_in_the_thread(slack: SlackStandIn) -> None:
    to, told_ = receiver(slack, Historian(None)), incident()
    told_.note("told gateways to pause tenant=acme/use_case=support")
    ref = await to.send(notification(told_))
    ref = await to.send(notification(told_, "changed", ref))
    told_.note("gateway eu-1: applied")
    told_.answer("ann acknowledged it")
    ref = await to.send(notification(told_, "answered", ref))
    said = [message.text.splitlines()[:-1] for message in slack.messages.values() if message.thread_ts]
    assert said == [["↳ told gateways to pause acme · support"], ["↳ gateway eu-1: applied", "↳ ann acknowledged it"]]


async def test_a_new_message_whose_thread_fails_is_not_posted_again(slack: SlackStandIn) -> None:
    told_ = incident()
    told_.note("told gateways to pause tenant=acme")
    slack.threads_fail = True
    assert await receiver(slack, Historian(None)).send(notification(told_))
    assert slack.methods == ["chat.postMessage", "chat.postMessage"]


async def test_messages_of_a_channel_are_a_second_apart(slack: SlackStandIn) -> None:
    """Slack takes one a second; here a tenth of that."""
    app = SlackApp(TOKEN, base_url=slack.base_url, timeout=5, spacing=0.1)
    to = SlackReceiver(app, "#finops")
    await asyncio.gather(*(to.send(notification(incident(alert(f"a{n}")))) for n in range(5)))
    assert len(slack.posted_at) == 5
    # Between two of them a busy machine may take its time.
    assert max(slack.posted_at) - min(slack.posted_at) > 0.3


def test_the_band_holds_four_fifths_of_what_was_before() -> None:
    past = History(unit="x", samples=tuple(Sample(float(n), float(n)) for n in range(11)))
    assert band(past, 10.0) == (1.0, 9.0)
    assert band(past, 6.0) is None


def test_without_a_history_the_incident_tells_its_own() -> None:
    told_ = incident(burst(), burst("updated", 10), burst("updated", 20))
    assert [sample.value for sample in told(told_).samples] == [120.0] * 3
    assert told(told_).unit == "requests in 10 s"


def test_what_is_still_open_is_joined_in_the_unit_of_the_history() -> None:
    past = History(unit="requests a minute", per=60.0, samples=(Sample(NOW - 10, 20.0),))
    found = joined(past, incident(burst()))
    assert [sample.value for sample in found.samples] == [20.0, 720.0]


@pytest.mark.parametrize("name", ["acme", "$\\frac{1}{0}$", "日本語 \U0001f4a5", "x" * 500, "<b>&"])
def test_any_name_can_be_drawn(name: str) -> None:
    assert draw(incident(alert(labels={"tenant": name, "kind": "burst"})), PAST)


@pytest.mark.parametrize("value", [0.0, 1e-9, 1e15])
@pytest.mark.parametrize("unit", ["dollars an hour", "requests a minute"])
def test_any_amount_can_be_drawn(value: float, unit: str) -> None:
    samples = tuple(Sample(NOW + n, value) for n in range(3))
    assert draw(incident(), History(unit=unit, per=60, samples=samples))


@pytest.mark.parametrize("span", [1e-3, 1.0, 59.0, 86_400.0, 30 * 86_400.0])
def test_any_length_of_time_can_be_drawn(span: float) -> None:
    assert draw(incident(), History(unit="x", samples=(Sample(NOW, 1.0), Sample(NOW + span, 2.0))))


def test_one_point_is_no_picture() -> None:
    assert draw(incident(), History(unit="x", samples=(Sample(NOW, 1.0),))) is None
