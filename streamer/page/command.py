"""`tidegate page`: a process of its own that reads what Tidegate writes, and serves the live page."""

import asyncio
import secrets
import signal

import structlog

from streamer.clock import wall
from streamer.config import Config
from streamer.feedback import Feedback
from streamer.kafka.connection import writing
from streamer.kafka.say import write
from streamer.kafka.topics import Topics, ensure
from streamer.page.access import Access
from streamer.page.heartbeat import feel
from streamer.page.live import Live
from streamer.page.reader import Reader
from streamer.page.server import Page
from streamer.page.state import PageState
from streamer.web.metrics import Metrics
from streamer.web.server import operations, serving

log = structlog.get_logger()
_KAFKA_SECONDS = 10.0


def start(config: Config) -> int:
    """Make sure of the topics, then serve until SIGTERM or SIGINT; gives the exit status."""
    asyncio.run(ensure(config.kafka, Topics.named(config.kafka.topic_prefix), {}))
    asyncio.run(_serve(config))
    return 0


async def _serve(config: Config) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    topics, page = Topics.named(config.kafka.topic_prefix), config.page
    state, live = PageState(page, config.windows.size_seconds, topics, config.budgets), Live()
    reader, metrics = Reader(config.kafka, topics, page.history_seconds, state, live), Metrics()
    metrics.page_lookers.set_function(lambda: len(live))
    metrics.page_series.set_function(lambda: len(state.spend.series))
    async with writing(config.kafka) as producer:

        async def written(feedback: Feedback) -> None:
            async with asyncio.timeout(_KAFKA_SECONDS):
                await write(feedback, producer, topics)

        shown = Page(state, Access(page, secrets.token_bytes(32)), live, written, metrics)
        routes = [*operations(metrics, lambda: state.pulse.reading), *shown.routes()]
        async with serving(routes, page.host, page.port):
            feeling = asyncio.create_task(feel(state.pulse, config.kafka))
            await _until(stopped, asyncio.create_task(reader.run(wall())))
            feeling.cancel()
            live.close()


async def _until(stopped: asyncio.Event, reading: asyncio.Task[None]) -> None:
    """Wait for the end; raises what ended the reading, for a page that no longer reads would tell what is not so."""
    waiting = asyncio.create_task(stopped.wait())
    await asyncio.wait([waiting, reading], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if reading.done():
        reading.result()
    reading.cancel()
    await asyncio.gather(reading, waiting, return_exceptions=True)
