"""Answers by HTTP: what Slack signed, and nothing else."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from slack_sdk.signature import Clock, SignatureVerifier

_TIMESTAMP, _SIGNATURE = "x-slack-request-timestamp", "x-slack-signature"


class Forged(Exception):
    """A request without a good signature of the last five minutes."""


class Unreadable(Exception):
    """A signed request that holds no payload."""


class Signed:
    """Opens what Slack posts, by the app's signing secret."""

    def __init__(self, secret: str) -> None:
        self._clock = _Told()
        self._verifier = SignatureVerifier(secret, self._clock)

    def payload(self, body: bytes, headers: Mapping[str, str], now: float) -> dict[str, Any]:
        """Give the payload of a request that came at `now` (epoch seconds); raises Forged and Unreadable."""
        self._clock.at = now
        if not self._is_good(body, {name.lower(): value for name, value in headers.items()}):
            raise Forged("no good signature")
        try:
            (text,) = parse_qs(body.decode(), strict_parsing=True)["payload"]
            payload = json.loads(text)
        except (ValueError, KeyError) as error:
            raise Unreadable("no payload") from error
        if not isinstance(payload, dict):
            raise Unreadable("the payload is no object")
        return payload

    def _is_good(self, body: bytes, headers: Mapping[str, str]) -> bool:
        timestamp, signature = headers.get(_TIMESTAMP), headers.get(_SIGNATURE)
        try:
            return self._verifier.is_valid(body, timestamp, signature)
        except (ValueError, TypeError):  # a timestamp that is no number, a body or a signature of no known letters
            return False


class _Told(Clock):
    """The time that we are told."""

    at = 0.0

    def now(self) -> float:
        return self.at
