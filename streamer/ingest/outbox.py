"""Produces what requests hand in, all that is waiting together: a request costs no batch of its own."""

import asyncio
from collections.abc import Sequence

import structlog
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from streamer.ingest.refused import Refused, busy
from streamer.kafka.batches import Batches
from streamer.kafka.stage import Out

log = structlog.get_logger()
_NO_ANSWER = "Kafka does not answer; nothing of this request was acknowledged"
Handed = tuple[Sequence[Out], asyncio.Future[Refused | None]]


class Outbox:
    """Sends in rounds: while the broker acknowledges one, the next is collected. `run` it in a task.

    What was sent in vain is told to whoever handed it in; it is not kept, for they come again with it.
    """

    def __init__(self, batches: Batches, seconds: float) -> None:
        self._batches, self._seconds = batches, seconds
        self._handed: list[Handed] = []
        self._wake = asyncio.Event()
        self.trouble = ""

    async def send(self, outs: Sequence[Out]) -> None:
        """Send, and return once the broker has acknowledged all of it; raises Refused where it has not."""
        if not outs:
            return
        done: asyncio.Future[Refused | None] = asyncio.get_running_loop().create_future()
        self._handed.append((outs, done))
        self._wake.set()
        if refused := await done:
            raise refused

    async def run(self) -> None:
        """Send rounds until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            handed, self._handed = self._handed, []
            await self._round(handed)

    async def _round(self, handed: list[Handed]) -> None:
        outs = [out for mine, _ in handed for out in mine]
        refused = await self._sent(outs)
        if refused and refused.status == 413 and len(handed) > 1:  # one of them: nobody else is to suffer for it
            for one in handed:
                await self._round([one])
            return
        for _, done in handed:
            if not done.done():
                done.set_result(refused)

    async def _sent(self, outs: Sequence[Out]) -> Refused | None:
        try:
            async with asyncio.timeout(self._seconds):
                await self._batches.send(outs)
        except MessageSizeTooLargeError:
            return Refused(413, "an event is larger than Kafka takes records")
        except (KafkaError, TimeoutError) as error:
            log.warning("Kafka did not take the events", error=repr(error), events=len(outs))
            self.trouble = "Kafka does not answer"
            return busy(503, _NO_ANSWER)
        except Exception:  # an error of ours must end neither the round of others nor all rounds to come
            log.exception("events could not be sent", events=len(outs))
            return busy(503, _NO_ANSWER)
        self.trouble = ""
        return None
