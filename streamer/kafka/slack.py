"""The worker's side of what people press in Slack: the ways by which it comes, and where it goes."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from aiohttp import web

from alerts.slack.app import SlackApp
from alerts.slack.socket import SocketMode
from streamer.config import Config
from streamer.kafka.answers import Answers, Standing
from streamer.kafka.topics import Topics
from streamer.web.metrics import Metrics
from streamer.web.slack import actions


class SlackSide:
    """Listens while its worker has the incidents, so that one of several is connected. An async context manager.

    Without an app token and a signing secret it does nothing.
    """

    def __init__(
        self, config: Config, app: SlackApp, topics: Topics, metrics: Metrics, standing: Callable[[str], Standing]
    ) -> None:
        self._config = config.slack
        self._answers = Answers(config.kafka, topics.feedback, app, metrics, standing, trust=config.trust)
        self._edges = AsyncExitStack()
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "SlackSide":
        if self._config.answers:
            await self._edges.enter_async_context(self._answers)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.listen(False)
        await self._edges.aclose()

    @property
    def routes(self) -> list[web.RouteDef]:
        """The routes that Slack posts to; none without a signing secret."""
        secret = self._config.signing_secret.get_secret_value()
        return actions(secret, self._answers.take) if secret else []

    async def listen(self, here: bool) -> None:
        """Open the socket if the incidents are `here`, close it if they are not."""
        token = self._config.app_token.get_secret_value()
        if here and token and self._listening is None:
            socket = SocketMode(token, self._answers.take, base_url=self._config.base_url)
            self._listening = asyncio.create_task(socket.run())
        elif not here and self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])
            self._listening = None
