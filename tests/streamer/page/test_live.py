"""When those who look are told: of what is wrong at once, of spend once a moment."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from streamer.page.live import Live
from streamer.page.sight import Sight
from streamer.page.state import Change

SPEND, INCIDENT = Change("spend"), Change("incidents")
LONG = 60.0


@pytest.fixture
async def live() -> AsyncIterator[Live]:
    """One that would tell of calm news only after the test."""
    made = Live(pause=0.0, calm=LONG, heartbeat=LONG)
    yield made
    made.close()


async def test_spend_is_told_at_once_and_what_follows_is_gathered_until_something_is_wrong(live: Live) -> None:
    news = live.news(Sight("ann"))
    assert b"hello" in await anext(news)
    live.tell(SPEND)
    assert await anext(news) == b'event: news\ndata: ["spend"]\n\n'
    following = asyncio.create_task(anext(news))
    live.tell(SPEND)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not following.done()
    live.tell(INCIDENT)
    assert await asyncio.wait_for(following, 5) == b'event: news\ndata: ["incidents","spend"]\n\n'
    await news.aclose()
    assert len(live) == 0


async def test_all_are_told_in_the_same_rounds_whenever_they_came(live: Live) -> None:
    """What one has just been told of keeps the other, who was told of nothing yet, waiting as well."""
    first, second = live.news(Sight("ann")), live.news(Sight("bob"))
    await anext(first)
    live.tell(SPEND)
    assert b"spend" in await anext(first)
    await anext(second)
    live.tell(SPEND)
    following = [asyncio.create_task(anext(one)) for one in (first, second)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert not any(one.done() for one in following)
    live.tell(INCIDENT)
    told = await asyncio.wait_for(asyncio.gather(*following), 5)
    assert told == [b'event: news\ndata: ["incidents","spend"]\n\n'] * 2


async def test_nobody_is_told_of_what_they_do_not_see(live: Live) -> None:
    hers, his = live.news(Sight("ann", ("acme",))), live.news(Sight("bob", ("globex",)))
    await anext(hers)
    await anext(his)
    live.tell(Change("spend", frozenset({"acme"})))
    waiting = asyncio.create_task(anext(his))
    assert b"spend" in await anext(hers)
    assert not waiting.done()
    waiting.cancel()


async def test_who_waits_is_let_go_when_the_server_ends(live: Live) -> None:
    news = live.news(Sight("ann"))
    await anext(news)
    live.tell(SPEND)
    await anext(news)
    following = asyncio.create_task(anext(news))
    await asyncio.sleep(0)
    live.close()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(following, 5)
