"""What Slack sends when a person presses something: payloads, and their signed HTTP form."""

import itertools
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from slack_sdk.signature import SignatureVerifier

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
_NUMBERS = itertools.count(1)


def pressed(
    blocks: list[dict[str, Any]],
    action: str,
    option: str = "",
    *,
    at: float = 1795341700.0,
    user: str = "U0ANN",
    name: str = "ann",
    channel: str = "C0FINOPS",
    ts: str = "1795341600.000001",
) -> dict[str, Any]:
    """The payload of one press. The element must be in the message, as nobody presses what is not there."""
    row, element = next(
        (block, element)
        for block in blocks
        if block["type"] == "actions"
        for element in block["elements"]
        if element["action_id"] == action
    )
    # Two presses are two actions with a time each, even of the same button in the same second.
    done: dict[str, Any] = {
        "type": element["type"],
        "action_id": action,
        "block_id": row["block_id"],
        "action_ts": f"{at + next(_NUMBERS) * 1e-6:.6f}",
    }
    if element["type"] == "static_select":
        done["selected_option"] = next(found for found in element["options"] if found["value"] == option)
    else:
        done["text"] = element["text"]
    return {
        "type": "block_actions",
        "user": {"id": user, "username": name, "name": name, "team_id": "T0TIDEGATE"},
        "api_app_id": "A0TIDEGATE",
        "container": {"type": "message", "message_ts": ts, "channel_id": channel, "is_ephemeral": False},
        "trigger_id": f"trigger-{next(_NUMBERS)}",
        "team": {"id": "T0TIDEGATE", "domain": "tidegate"},
        "channel": {"id": channel, "name": "finops"},
        "message": {"type": "message", "ts": ts, "blocks": blocks},
        "actions": [done],
    }


def submitted(view: dict[str, Any], until: float | None, *, user: str = "U0ANN", name: str = "ann") -> dict[str, Any]:
    """The payload of a dialog that was saved with a date in its one field."""
    (field,) = [block for block in view["blocks"] if block["type"] == "input"]
    picked = {"type": "datetimepicker", "selected_date_time": None if until is None else int(until)}
    return {
        "type": "view_submission",
        "user": {"id": user, "username": name, "name": name, "team_id": "T0TIDEGATE"},
        "api_app_id": "A0TIDEGATE",
        "team": {"id": "T0TIDEGATE", "domain": "tidegate"},
        "trigger_id": f"trigger-{next(_NUMBERS)}",
        "view": {**view, "id": "V1", "state": {"values": {field["block_id"]: {field["element"]["action_id"]: picked}}}},
        "response_urls": [],
    }


def posted(payload: Mapping[str, Any], at: float, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    """The body and the headers by which Slack posts a payload at `at` (epoch seconds)."""
    body, timestamp = urlencode({"payload": json.dumps(payload)}), str(int(at))
    signature = SignatureVerifier(secret).generate_signature(timestamp=timestamp, body=body)
    assert signature
    return body.encode(), {
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": signature,
        "Content-Type": "application/x-www-form-urlencoded",
    }
