"""What Slack posts is opened; what is forged, stale or broken is not."""

from typing import Any

import pytest

from alerts.slack.signed import Forged, Signed, Unreadable
from tests.slack.press import SECRET, posted

NOW = 1795341700.0
PAYLOAD = {"type": "block_actions", "actions": []}


def opened(body: bytes, headers: dict[str, str], now: float = NOW) -> dict[str, Any]:
    return Signed(SECRET).payload(body, headers, now)


@pytest.mark.parametrize("late", [0, 299, -299])
def test_what_slack_signed_within_five_minutes_is_opened(late: float) -> None:
    assert opened(*posted(PAYLOAD, NOW), NOW + late) == PAYLOAD


@pytest.mark.parametrize("late", [301, -301, 86_400])
def test_a_stale_signature_is_refused(late: float) -> None:
    with pytest.raises(Forged):
        opened(*posted(PAYLOAD, NOW), NOW + late)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Slack-Signature": "v0=" + "0" * 64},
        {"X-Slack-Signature": "v0=ü"},
        {"X-Slack-Request-Timestamp": "soon"},
        {"X-Slack-Request-Timestamp": str(int(NOW) + 1)},
    ],
)
def test_a_forged_request_is_refused(headers: dict[str, str]) -> None:
    body, good = posted(PAYLOAD, NOW)
    with pytest.raises(Forged):
        opened(body, good | headers if headers else {})


def test_another_body_or_another_secret_is_refused() -> None:
    body, headers = posted(PAYLOAD, NOW)
    with pytest.raises(Forged):
        opened(body + b"&x=1", headers)
    with pytest.raises(Forged):
        opened(b"\xff", headers)
    with pytest.raises(Forged):
        opened(*posted(PAYLOAD, NOW, secret="another"))


@pytest.mark.parametrize("payload", [[], "text", 7])
def test_a_signed_request_without_a_payload_is_unreadable(payload: Any) -> None:
    with pytest.raises(Unreadable):
        opened(*posted(payload, NOW))
