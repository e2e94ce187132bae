"""Produces usage without a pause, counts what it produced, and plants anomalies and repeats on demand."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from random import Random
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streamer.kafka.topics import Topics
from tests.chaos.totals import Totals
from tests.chaos.usage import Event, Known, Loop, Sent, Usage, burst, record_of, record_of_all
from tests.integration.deployment import until

_PAUSE = 0.1
_PATIENCE = 150.0
_MOST_A_TICK = 30
# Kept to be sent again; the rest of a long run need not be remembered.
_KEPT = 3000


class Traffic:
    """A producer in a thread of its own, straight to the broker: faults between it and us are not what is tested.

    What the broker did not acknowledge is sent again under the same ids, for as long as it takes.
    """

    def __init__(self, bootstrap: str, topics: Topics, seed: str) -> None:
        self.totals, self.planted, self.repeated = Totals(), set[Known](), 0
        self._bootstrap, self._topics, self._dice = bootstrap, topics, Random(seed)
        self._usage = Usage(self._dice)
        self._loops: list[Loop] = []
        self._orders: deque[Callable[[], Iterable[Sent]]] = deque()
        self._kept: deque[Sent] = deque(maxlen=_KEPT)
        self._stop, self._failure, self._planted = threading.Event(), list[BaseException](), 0
        self._flows = False
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def __enter__(self) -> Self:
        """Return when the first events are acknowledged: a producer that finds no broker at its start gives up."""
        self._thread.start()
        until(lambda: self._flows or bool(self._failure), "the first events to be acknowledged")
        self.check()
        return self

    def check(self) -> None:
        """Raise what has stopped the traffic, if anything has."""
        if self._failure:
            raise self._failure[0]

    def __exit__(self, *_: object) -> None:
        # Bounded: where the suite failed with the broker down, nobody will ever take what is left.
        self._stop.set()
        self._thread.join(10)

    def stop(self) -> None:
        """Return once all that was produced is acknowledged."""
        self._stop.set()
        self._thread.join(_PATIENCE)
        assert not self._thread.is_alive(), "the broker does not take what is produced"
        self.check()

    def plant(self) -> None:
        """Begin a loop and a burst."""
        self._orders.append(self._new_loop)
        self._orders.append(self._new_burst)

    def repeat(self) -> None:
        """Send some of what was sent before again, as a gateway does that missed the answer."""
        self._orders.append(self._repeats)

    def _run(self) -> None:
        try:
            asyncio.run(self._produce())
        except BaseException as failure:  # told to whoever waits for this thread
            self._failure.append(failure)

    async def _produce(self) -> None:
        async with AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            acks="all",
            enable_idempotence=True,
            # A broker that is killed and started again must not make it give a batch up.
            request_timeout_ms=120_000,
            # A look-up that fails is made up for by the next one only.
            metadata_max_age_ms=2000,
            max_request_size=16 << 20,
        ) as producer:
            while not self._stop.is_set():
                await _deliver(producer, list(self._tick(time.time())))
                self._flows = True
                await asyncio.sleep(_PAUSE)
            await _deliver(producer, [sent for order in self._orders for sent in order()])

    def _tick(self, now: float) -> Iterable[Sent]:
        while self._orders:
            yield from self._orders.popleft()()
        events = [self._usage.event(now) for _ in range(self._dice.randrange(_MOST_A_TICK))]
        events += [call for loop in self._loops for call in loop.calls(self._usage, now)]
        for event in events:
            yield from self._ordinary(event)

    def _ordinary(self, event: Event) -> Iterable[Sent]:
        self.totals.produced(event)
        sent = record_of(event, self._topics, self._dice)
        if self._dice.random() < 0.2:
            self._kept.append(sent)
        # Seven, so that calls which are one call sent often would be taken for a loop.
        times = self._dice.choices((1, 2, 7), (96, 3, 1))[0]
        self.repeated += times - 1
        return [sent] * times

    def _new_loop(self) -> Iterable[Sent]:
        self._planted += 1
        self._loops.append(Loop(self._planted, self._dice))
        self.planted.add(self._loops[-1].known)
        return ()

    def _new_burst(self) -> Iterable[Sent]:
        self._planted += 1
        events, known = burst(self._planted, self._usage, time.time())
        for event in events:
            self.totals.produced(event)
        self.planted.add(known)
        sent = record_of_all(events, self._topics)
        self._kept.append(sent)
        return [sent]

    def _repeats(self) -> Iterable[Sent]:
        again = self._dice.sample(self._kept, min(60, len(self._kept)))
        self.repeated += len(again)
        return again


async def _deliver(producer: AIOKafkaProducer, records: list[Sent]) -> None:
    while records:
        futures = [await producer.send(r.topic, r.value, r.key, headers=r.headers) for r in records]
        outcomes = await asyncio.gather(*futures, return_exceptions=True)
        strange = [o for o in outcomes if isinstance(o, BaseException) and not isinstance(o, KafkaError)]
        if strange:
            raise strange[0]
        records = [r for r, outcome in zip(records, outcomes, strict=True) if isinstance(outcome, KafkaError)]
