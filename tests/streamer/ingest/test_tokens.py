"""A token writes for its tenants only, is kept as a hash, and is shown once."""

import json
import tomllib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from streamer.cli.base import cli
from streamer.config import IngestConfig, TokenConfig
from streamer.ingest import server, tokens
from streamer.ingest.tokens import Tokens
from tests.streamer.ingest.door import Door, opened
from tests.streamer.samples import NOW, event

ACME, KEPT = tokens.new(["acme"])
BOTH, KEPT_BOTH = tokens.new(["acme", "beta"])
ALL, KEPT_ALL = tokens.new(["*"])
KNOWN = Tokens([KEPT, KEPT_BOTH, KEPT_ALL])


@pytest.fixture
async def door(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    monkeypatch.setattr(server, "wall", lambda: NOW)
    async with opened(tokens=[KEPT.model_dump(), KEPT_BOTH.model_dump(), KEPT_ALL.model_dump()]) as made:
        yield made


@pytest.mark.parametrize(
    ("token", "tenant", "allowed"),
    [(ACME, "acme", True), (ACME, "beta", False), (BOTH, "beta", True), (BOTH, "gamma", False), (ALL, "gamma", True)],
    ids=["its own", "another's", "one of both", "neither", "all"],  # tokens are others in every process
)
def test_a_token_is_for_its_tenants(token: str, tenant: str, allowed: bool) -> None:
    grant = KNOWN.grant(f"Bearer {token}")
    assert grant
    assert grant.allows(tenant) is allowed


@given(
    st.one_of(st.text(), st.text().map(lambda text: f"Bearer {text}"), st.text().map(lambda t: f"Bearer {ACME}{t}x"))
)
def test_nothing_but_a_token_is_one(header: str) -> None:
    assert KNOWN.grant(header) is None


def test_the_secret_of_one_token_opens_no_other() -> None:
    mixed = f"tidegate_{KEPT_ALL.id}_{ACME.split('_', 2)[2]}"
    assert KNOWN.grant(f"Bearer {mixed}") is None
    assert KNOWN.grant(f"Basic {ACME}") is None
    assert KNOWN.grant(f"bearer  {ACME}") is not None


def test_without_tokens_everybody_may_send() -> None:
    grant = Tokens([]).grant("")
    assert grant
    assert grant.allows("anybody")


def test_what_is_kept_says_nothing_of_the_token() -> None:
    kept = KEPT.model_dump_json()
    assert ACME not in kept
    assert ACME.split("_", 2)[2] not in kept


def test_the_command_shows_a_token_and_what_the_configuration_keeps_of_it() -> None:
    shown = CliRunner().invoke(cli, ["tokens", "new", "--tenant", "acme", "--tenant", 'a "b"']).output
    token = next(word for word in shown.split() if word.startswith("tidegate_"))
    ingest: dict[str, Any] = tomllib.loads(shown)["ingest"]
    grant = Tokens(IngestConfig.model_validate(ingest).tokens).grant(f"Bearer {token}")
    assert grant
    assert [grant.allows(tenant) for tenant in ("acme", 'a "b"', "beta")] == [True, True, False]


def test_two_tokens_of_one_id_are_a_mistake() -> None:
    with pytest.raises(ValidationError, match="two tokens have the same id"):
        IngestConfig(tokens=(KEPT, KEPT))
    with pytest.raises(ValidationError, match="at least 1"):
        TokenConfig(id=KEPT.id, sha256=KEPT.sha256, tenants=())


async def test_without_a_token_nothing_is_taken_and_no_body_is_read(door: Door) -> None:
    assert await door.post(event()) == (401, {"error": "a bearer token of this front door is needed"})
    assert door.headers["WWW-Authenticate"] == "Bearer"
    assert await door.post(b"not even JSON", Authorization=f"Bearer {ACME}x") == (
        401,
        {"error": "a bearer token of this front door is needed"},
    )
    assert door.producer.sent == []


async def test_an_event_of_another_tenant_is_refused_and_the_others_of_its_batch_are_taken(door: Door) -> None:
    batch = [event(1), event(2, tenant="beta"), event(3)]
    status, answer = await door.post(batch, Authorization=f"Bearer {ACME}")
    assert (status, answer["accepted"]) == (422, 2)
    assert answer["rejected"] == [
        {"reason": "forbidden_tenant", "detail": "the token does not allow events of this tenant", "item": 1}
    ]
    assert {one["tenant"] for one in door.events} == {"acme"}
    assert await door.post(batch, Authorization=f"Bearer {ALL}") == (202, {"accepted": 3})


@pytest.mark.parametrize(
    "forged",
    [
        {"ce-tenant": "beta"},
        {"ce-tenant": "acme", "data": "beta"},
    ],
)
async def test_no_format_carries_an_event_past_its_token(forged: dict[str, str], door: Door) -> None:
    """A tenant in a CloudEvent's header, in its data, or in both with different words."""
    attributes = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "time": "2026-11-22T10:00:00Z"}
    headers = {f"ce-{name}": value for name, value in attributes.items()} | {"ce-tenant": forged["ce-tenant"]}
    body = {"model": "m"} | ({"tenant": forged["data"]} if "data" in forged else {})
    status, answer = await door.post(json.dumps(body).encode(), Authorization=f"Bearer {ACME}", **headers)
    assert (status, answer["rejected"][0]["reason"]) == (422, "forbidden_tenant")
    assert door.producer.sent == []


async def test_events_that_name_no_tenant_are_the_one_of_the_token(door: Door) -> None:
    cloud = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "time": "2026-11-22T10:00:00Z", "data": {}}
    assert await door.post(cloud, Authorization=f"Bearer {ACME}") == (202, {"accepted": 1})
    assert door.events[0]["tenant"] == "acme"
    status, answer = await door.post(cloud, Authorization=f"Bearer {BOTH}")
    assert (status, answer["rejected"][0]["reason"]) == (422, "missing_tenant")
