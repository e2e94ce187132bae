"""The webhook: signed as its documentation says, and what an answer means for the next try."""

import hmac
from datetime import timedelta
from hashlib import sha256

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.dispatcher import Dispatcher
from alerts.owners import Owner
from alerts.receiver import DeliveryFailed
from alerts.routes import Route
from alerts.undelivered import undelivered
from alerts.webhook.client import WebhookBody, WebhookReceiver, body_of
from alerts.webhook.sign import signature, verified
from tests.alerts.build import NOW, START, alert, incident, notification
from tests.alerts.http_server import Taken, listening

SECRET = "shared secret"


def receiver(taken: Taken, secret: str = SECRET) -> WebhookReceiver:
    return WebhookReceiver(taken.url, secret, timeout=5, clock=lambda: NOW)


async def test_what_is_posted_is_signed_over_its_time_and_body() -> None:
    """Checked by hand, as somebody would who knows only the documentation."""
    async with listening() as taken:
        assert await receiver(taken).send(notification(incident())) == "4e8f1c"
    headers, body = taken.headers[0], taken.bodies[0]
    by_hand = hmac.new(SECRET.encode(), headers["Tidegate-Timestamp"].encode() + b"." + body, sha256).hexdigest()
    assert headers["Tidegate-Signature"] == f"v1={by_hand}"
    assert headers["Tidegate-Timestamp"] == str(int(NOW))
    assert headers["Content-Type"] == "application/json"
    assert verified(SECRET.encode(), headers["Tidegate-Timestamp"], body, headers["Tidegate-Signature"], now=NOW + 9)


async def test_the_body_tells_all_of_the_incident_and_whose_it_is() -> None:
    told = msgspec.structs.replace(notification(incident()), owner=Owner("search", "C1", "ann@acme.example"))
    async with listening() as taken:
        await receiver(taken).send(told)
    body = orjson.loads(taken.bodies[0])
    assert (body["schema"], body["because"], body["text"][:6]) == ("tidegate.notification/1", "new", "🟠 acme")
    assert body["owner"] == {"name": "search", "channel": "C1", "email": "ann@acme.example"}
    assert msgspec.json.decode(taken.bodies[0], type=WebhookBody).incident == told.incident


async def test_a_notification_that_is_sent_again_has_the_same_id_and_the_next_another() -> None:
    found = incident()
    async with listening() as taken:
        for told in (found, found, incident(alert(), alert(state="closed", after=5))):
            await receiver(taken).send(notification(told, "resolved" if told.state == "resolved" else "new"))
    first, again, last = (headers["Tidegate-Delivery"] for headers in taken.headers)
    assert first == again != last


def test_what_is_said_again_after_long_is_no_repeat_to_be_dropped() -> None:
    found = Dispatcher([Route(receiver="finops", repeat_interval=3600)])
    found.submit(alert(), NOW)
    ids = []
    for after in (2, 3602, 7202):
        (told,) = found.pending(NOW + after)
        (again,) = found.pending(NOW + after)
        assert body_of(told).id == body_of(again).id
        ids.append(body_of(told).id)
        found.delivered(told, "ref", NOW + after)
    assert len(set(ids)) == 3


def test_a_receiver_that_is_dead_for_the_second_time_is_told_of_anew() -> None:
    ids = {
        body_of(undelivered("slack", "timeout", 3, START + timedelta(days=day), until)).id
        for day in (0, 7)
        for until in (None, START + timedelta(days=day, hours=1))
    }
    assert len(ids) == 4


async def test_without_a_secret_nothing_is_signed() -> None:
    async with listening() as taken:
        await receiver(taken, secret="").send(notification(incident()))
    assert not {"Tidegate-Signature", "Tidegate-Timestamp"} & set(taken.headers[0])


@pytest.mark.parametrize(
    ("status", "permanent"),
    [
        (400, True),
        (401, True),
        (404, True),
        (410, True),
        (302, True),
        (408, False),
        (429, False),
        (500, False),
        (503, False),
    ],
)
async def test_only_what_may_pass_is_tried_again(status: int, permanent: bool) -> None:
    async with listening() as taken:
        taken.answers.append((status, {"Location": taken.url}))
        with pytest.raises(DeliveryFailed, match=f"webhook: status {status}") as failed:
            await receiver(taken).send(notification(incident()))
        assert failed.value.permanent is permanent
        assert len(taken.bodies) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "17"}, 17.0),
        ({"Retry-After": "Sun, 22 Nov 2026 10:02:00 GMT", "Date": "Sun, 22 Nov 2026 10:00:00 GMT"}, 120.0),
        ({"Retry-After": "Sun, 22 Nov 2026 10:02:00 GMT", "Date": "Sun, 22 Nov 2026 10:05:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        ({}, None),
    ],
)
async def test_how_long_a_server_asks_to_wait_is_kept(headers: dict[str, str], seconds: float | None) -> None:
    async with listening() as taken:
        taken.answers.append((429, headers))
        with pytest.raises(DeliveryFailed) as failed:
            await receiver(taken).send(notification(incident()))
    assert failed.value.retry_after == seconds


@pytest.mark.parametrize(("url", "permanent"), [("http://127.0.0.1:1/token-in-url", False), ("http://", True)])
async def test_who_is_not_reached_is_tried_again_and_no_address_is_told(url: str, permanent: bool) -> None:
    with pytest.raises(DeliveryFailed) as failed:
        await WebhookReceiver(url, SECRET, timeout=2, clock=lambda: NOW).send(notification(incident()))
    assert failed.value.permanent is permanent
    assert "127.0.0.1" not in str(failed.value)
    assert "token-in-url" not in str(failed.value)


@given(st.binary(max_size=50), st.integers(0, 2**33), st.binary(max_size=50), st.integers(-400, 400))
def test_a_signature_is_good_for_its_own_body_secret_and_time_alone(
    body: bytes, timestamp: int, other: bytes, late: int
) -> None:
    signed = signature(b"secret", timestamp, body)
    now = float(timestamp + late)
    assert verified(b"secret", str(timestamp), body, signed, now=now) == (abs(late) <= 300)
    assert verified(b"secret", str(timestamp), other, signed, now=timestamp) == (other == body)
    assert not verified(b"guess", str(timestamp), body, signed, now=timestamp)
    assert not verified(b"secret", str(timestamp + 1), body, signed, now=timestamp)
    assert not verified(b"secret", f"+{timestamp}", body, signed, now=timestamp)
