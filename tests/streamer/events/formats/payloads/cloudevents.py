"""CloudEvents: bodies alone, and descriptors of whole messages, headers and all."""

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.streamer.events.formats.payloads.told import Expected, Refused, Told, told


def structured(path: Path) -> list[Expected]:
    """A body that holds one event or some, their data an object."""
    whole = json.loads(path.read_text())
    return [_told(item, item["data"]) for item in (whole if isinstance(whole, list) else [whole])]


def message(path: Path) -> list[Expected]:
    """A descriptor of a request, or of a record of Kafka."""
    descriptor = json.loads(path.read_text())
    body, headers = body_of(path, descriptor), descriptor["headers"]
    attributes = {name[3:]: value for name, value in headers.items() if name[:3] in ("ce-", "ce_")}
    if attributes:
        return [_told(attributes, json.loads(body))]
    whole = json.loads(body)
    return [_told(item, item["data"]) for item in (whole if isinstance(whole, list) else [whole])]


def body_of(path: Path, descriptor: dict[str, Any]) -> bytes:
    if "body_file" in descriptor:
        return (path.parent / descriptor["body_file"]).read_bytes()
    if descriptor.get("body", "").startswith("(4 bytes: "):  # as it says of what is no text
        return bytes.fromhex(descriptor["body"].partition(":")[2].rstrip(")"))
    return str(descriptor.get("body", descriptor.get("value"))).encode()


def no_json(_: Path) -> list[Expected]:
    """A message in binary mode whose data are no JSON."""
    return [Refused("undecodable")]


def no_object(_: Path) -> list[Expected]:
    """An event whose data are text, or bytes: no usage."""
    return [Refused("wrong_type")]


def _told(attributes: dict[str, str], data: dict[str, Any]) -> Told:
    return told(
        id=attributes["id"],
        source=attributes["source"],
        time=datetime.fromisoformat(attributes["time"]),
        tenant="nobody",
        session=data.get("run_id"),
        provider=data.get("provider"),
        model=data.get("model"),
        input_tokens=data.get("input_tokens", 0),
        output_tokens=data.get("output_tokens", 0),
        cache_read_tokens=data.get("cached_input_tokens", 0),
        requests=1,
        user=data.get("user"),
        cost_usd=Decimal(data["cost_usd"]) if "cost_usd" in data else None,
    )
