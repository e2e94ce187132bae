"""What is pressed in Slack is written once to the topic of feedback, and what is not kept is pressed again."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiokafka.errors import KafkaTimeoutError

from alerts.slack.app import SlackApp
from alerts.slack.dialog import Mistaken
from alerts.slack.render import message
from streamer.clock import utc, wall
from streamer.config import Config, TrustConfig
from streamer.feedback import Feedback, feedback_of
from streamer.kafka import answers as module
from streamer.kafka.answers import Answers, Standing
from streamer.web.metrics import Metrics
from streamer.web.slack import PATH, actions
from tests.alerts.build import NOW, incident, notification
from tests.slack.press import SECRET, posted, pressed, submitted
from tests.slack.standin import TOKEN, SlackStandIn, refused
from tests.streamer.kafka.fakes import sample


class Producer:
    """Keeps what it is sent; fails while `broken`, waits while `gate` is closed."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Feedback, bytes]] = []
        self.broken = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def send_and_wait(self, topic: str, value: bytes, key: bytes) -> None:
        await self.gate.wait()
        if self.broken:
            raise KafkaTimeoutError
        self.sent.append((topic, msgspec.json.decode(value, type=Feedback), key))


class Bench:
    """Answers between a Slack and a broker that tests make unwell."""

    def __init__(self, slack: SlackStandIn, producer: Producer) -> None:
        self.slack, self.producer, self.metrics = slack, producer, Metrics()
        self.standing: Standing = "open"
        app = SlackApp(TOKEN, base_url=slack.base_url, timeout=5, spacing=0)
        trust = TrustConfig(people=("ann", "bob"))
        self.answers = Answers(Config().kafka, "t.feedback", app, self.metrics, lambda _: self.standing, trust=trust)

    def count(self, outcome: str) -> float:
        return sample(self.metrics, "tidegate_answers_total", outcome=outcome)


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    producer = Producer()
    monkeypatch.setattr(module, "producer_of", lambda _: producer)
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with SlackStandIn() as slack:
        made = Bench(slack, producer)
        async with made.answers:
            yield made


def press(action: str = "tidegate.acknowledge", option: str = "", **who: Any) -> dict[str, Any]:
    return pressed(message(notification(incident()))[1], action, option, **who)


async def test_an_answer_is_a_record_of_feedback(bench: Bench) -> None:
    assert await bench.answers.take(press("tidegate.mute", "1h"))
    ((topic, said, key),) = bench.producer.sent
    assert (topic, key, said.verdict, said.incident, said.by) == ("t.feedback", b"4e8f1c", "mute", "4e8f1c", "ann")
    assert feedback_of(msgspec.to_builtins(said, builtin_types=(type(said.time),)), utc(NOW + 400)) == said


async def test_a_double_click_and_slacks_repeats_are_one_record(bench: Bench) -> None:
    once = press()
    taken = await asyncio.gather(*(bench.answers.take(each) for each in (once, once, press())))
    assert (taken, len(bench.producer.sent)) == ([True] * 3, 1)
    assert (bench.count("taken"), bench.count("repeated")) == (1, 2)


async def test_what_was_broken_off_while_it_was_written_can_be_pressed_again(bench: Bench) -> None:
    """As when Slack's socket is lost: Slack repeats what it heard nothing of."""
    bench.producer.gate.clear()
    broken_off = asyncio.create_task(bench.answers.take(press()))
    while not bench.answers._heard:  # noqa: ASYNC110 - once round the loop
        await asyncio.sleep(0)
    broken_off.cancel()
    await asyncio.wait([broken_off])
    bench.producer.gate.set()
    async with asyncio.timeout(5):
        assert await bench.answers.take(press())
    assert len(bench.producer.sent) == 1


async def test_two_people_are_two_records(bench: Bench) -> None:
    await bench.answers.take(press())
    await bench.answers.take(press(user="U0BOB", name="bob"))
    assert [said.by for _, said, _ in bench.producer.sent] == ["ann", "bob"]


async def test_what_the_broker_did_not_take_can_be_pressed_again(bench: Bench) -> None:
    bench.producer.broken = True
    assert not await bench.answers.take(press())
    bench.producer.broken = False
    assert await bench.answers.take(press())
    assert (len(bench.producer.sent), bench.count("failed")) == (1, 1)


async def test_a_broker_that_hangs_is_given_up_before_slack_does(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST", 0.05)
    bench.producer.gate.clear()
    assert await asyncio.gather(*(bench.answers.take(press()) for _ in range(3))) == [False] * 3
    bench.producer.gate.set()
    assert await bench.answers.take(press())


async def test_what_is_over_and_held_yet_can_be_let_go_and_nothing_else_said_of_it(bench: Bench) -> None:
    bench.standing = "held"
    told = incident()
    told.commands.append("tenant=acme")
    assert await bench.answers.take(pressed(message(notification(told))[1], "tidegate.release"))
    assert await bench.answers.take(press())
    assert [said.verdict for _, said, _ in bench.producer.sent] == ["release"]
    assert bench.count("over") == 1


async def test_of_an_incident_that_is_over_only_who_pressed_is_told(bench: Bench) -> None:
    bench.standing = "over"
    assert await bench.answers.take(press())
    async with asyncio.timeout(5):
        while not bench.slack.whispers:  # noqa: ASYNC110 - the stand-in's state is what we wait for
            await asyncio.sleep(0.01)
    ((user, text),) = bench.slack.whispers
    assert (user, "over" in text, bench.producer.sent, bench.count("over")) == ("U0ANN", True, [], 1)


async def test_what_another_worker_may_know_is_taken(bench: Bench) -> None:
    bench.standing = "elsewhere"
    assert await bench.answers.take(press())
    assert len(bench.producer.sent) == 1


async def test_a_date_is_asked_for_in_a_dialog_and_written_like_any_answer(bench: Bench) -> None:
    assert await bench.answers.take(press("tidegate.planned", "until"))
    (view,) = bench.slack.views
    assert bench.producer.sent == []
    until = wall() + 86_400
    assert await bench.answers.take(submitted(view, until))
    ((_, said, key),) = bench.producer.sent
    assert (said.verdict, said.incident, said.by, key) == ("planned", "4e8f1c", "ann", b"4e8f1c")
    assert said.until == utc(int(until))
    assert (bench.count("asked"), bench.count("taken")) == (1, 1)


async def test_a_dialog_that_slack_does_not_open_can_be_asked_for_again(bench: Bench) -> None:
    bench.slack.fail_next(refused("expired_trigger_id"), method="views.open")
    assert not await bench.answers.take(press("tidegate.mute", "until"))
    assert await bench.answers.take(press("tidegate.mute", "until"))
    assert len(bench.slack.views) == 1


async def test_who_may_not_answer_is_told_so_and_the_record_of_it_is_kept(bench: Bench) -> None:
    """For the dead letters, where whoever reads the topic puts it."""
    assert await bench.answers.take(press(user="U0EVE", name="eve"))
    assert await bench.answers.take(press())
    async with asyncio.timeout(5):
        while not bench.slack.whispers:  # noqa: ASYNC110 - the stand-in's state is what we wait for
            await asyncio.sleep(0.01)
    assert bench.slack.whispers == [("U0EVE", module._NOT_ALLOWED)]
    assert [said.by for _, said, _ in bench.producer.sent] == ["eve", "ann"]


async def test_a_dialog_about_what_is_over_says_so(bench: Bench) -> None:
    assert await bench.answers.take(press("tidegate.planned", "until"))
    bench.standing = "over"
    with pytest.raises(Mistaken, match="over"):
        await bench.answers.take(submitted(bench.slack.views[0], wall() + 60))
    assert bench.producer.sent == []


async def test_an_unknown_action_is_dropped(bench: Bench) -> None:
    payload = press()
    payload["actions"][0]["action_id"] = "another.app"
    assert await bench.answers.take(payload)
    assert (bench.producer.sent, bench.count("unusable")) == ([], 1)


@pytest.fixture
async def http(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    monkeypatch.setattr("streamer.web.slack.wall", lambda: NOW)
    app = web.Application()
    app.add_routes(actions(SECRET, bench.answers.take))
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.mark.parametrize(
    ("secret", "at", "status", "records"),
    [(SECRET, NOW, 200, 1), (SECRET, NOW - 299, 200, 1), (SECRET, NOW - 301, 401, 0), ("forged", NOW, 401, 0)],
    ids=["signed", "just in time", "stale", "forged"],
)
async def test_over_http_only_what_slack_signed_counts(
    bench: Bench, http: TestClient[web.Request, web.Application], *, secret: str, at: float, status: int, records: int
) -> None:
    body, headers = posted(press(), at, secret)
    async with http.post(PATH, data=body, headers=headers) as answer:
        assert answer.status == status
    assert len(bench.producer.sent) == records


async def test_over_http_an_answer_that_was_not_kept_is_no_success(
    bench: Bench, http: TestClient[web.Request, web.Application]
) -> None:
    bench.producer.broken = True
    body, headers = posted(press(), NOW)
    async with http.post(PATH, data=body, headers=headers) as answer:
        assert answer.status == 503


async def test_over_http_a_date_is_taken_or_said_to_be_wrong(
    bench: Bench, http: TestClient[web.Request, web.Application]
) -> None:
    for payload, expected in (
        (press("tidegate.planned", "until"), b""),
        (lambda: submitted(bench.slack.views[0], 1.0), b"This lies in the past."),
        (lambda: submitted(bench.slack.views[0], wall() + 60), b""),
    ):
        body, headers = posted(payload() if callable(payload) else payload, NOW)
        async with http.post(PATH, data=body, headers=headers) as answer:
            assert answer.status == 200
            said = await answer.read()
            assert expected in said
            assert bool(expected) == bool(said)
    assert [said.verdict for _, said, _ in bench.producer.sent] == ["planned"]


async def test_over_http_a_signed_request_without_a_payload_is_refused(
    http: TestClient[web.Request, web.Application],
) -> None:
    body, headers = posted([], NOW)  # type: ignore[arg-type]
    async with http.post(PATH, data=body, headers=headers) as answer:
        assert answer.status == 400
