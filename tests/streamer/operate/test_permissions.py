"""The doctor asks for all that a worker needs where Kafka has ACLs."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, KafkaConnectionError, TransactionalIdAuthorizationFailed

from streamer.config import KafkaConfig
from streamer.operate import permissions as module
from streamer.operate.permissions import group, topics, transactions

KAFKA = KafkaConfig(topic_prefix="t.", group="tide", sasl_username="ann", connect_seconds=5)
ALL = frozenset({"read", "write", "describe"})


def permit(monkeypatch: pytest.MonkeyPatch, but: str, operations: frozenset[str]) -> None:
    async def permitted(_: KafkaConfig, names: Iterable[str]) -> dict[str, frozenset[str]]:
        return {name: operations if name == but else ALL for name in names}

    monkeypatch.setattr(module, "permitted", permitted)


@pytest.mark.parametrize("name", ["tide-meter-changelog", "tide-alerts-changelog", "t.usage", "t.rollups", "t.alerts"])
@pytest.mark.parametrize("verb", ["read", "write"])
async def test_what_is_not_granted_on_a_topic_is_asked_for(
    name: str, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    permit(monkeypatch, name, ALL - {verb})
    (found,) = await topics(KAFKA)
    assert found.line() == f"BAD   ann may not {verb} {name}: grant {verb.upper()} on it"


async def test_a_user_who_may_do_all_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    permit(monkeypatch, "", ALL)
    assert [found.grade for found in await topics(KAFKA)] == ["good"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (GroupAuthorizationFailedError("tide"), ["BAD   ann may not use the group tide: grant READ on it"]),
        (KafkaConnectionError(), []),
        (None, []),
    ],
)
async def test_a_group_that_may_not_be_joined_is_asked_for(
    error: Exception | None, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def administering(_: Any) -> AsyncIterator[None]:
        yield None

    async def described(_: None, name: str) -> None:
        assert name == "tide"
        if error:
            raise error

    monkeypatch.setattr(module, "administering", administering)
    monkeypatch.setattr(module, "described", described)
    assert [found.line() for found in await group(KAFKA)] == told


class Writer:
    """A producer that starts, or does not."""

    def __init__(self, error: Exception | None) -> None:
        self._error, self.is_stopped = error, False

    async def start(self) -> None:
        if self._error:
            raise self._error

    async def stop(self) -> None:
        self.is_stopped = True


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            TransactionalIdAuthorizationFailed("tide-doctor"),
            ["BAD   ann may not write transactions: grant WRITE on transactional ids that begin with tide-"],
        ),
        (None, []),
    ],
)
async def test_transactions_that_may_not_be_written_are_asked_for(
    error: Exception | None, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an id that is no worker's: whose it is would be fenced."""
    ids: list[str | None] = []
    writer = Writer(error)

    def writer_of(_: KafkaConfig, name: str | None) -> Writer:
        ids.append(name)
        return writer

    monkeypatch.setattr(module, "writer_of", writer_of)
    assert [found.line() for found in await transactions(KAFKA)] == told
    assert (ids, writer.is_stopped) == (["tide-doctor"], True)
    assert await transactions(KAFKA.model_copy(update={"idempotence": False})) == []
    assert len(ids) == 1
