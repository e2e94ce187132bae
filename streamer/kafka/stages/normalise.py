"""Raw records into canonical usage events."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from streamer.events.decoder import Decoder
from streamer.events.rejected import Rejected
from streamer.events.skipped import Skipped
from streamer.kafka.stage import SOON, Out, Record
from streamer.kafka.stages.aside import Aside
from streamer.kafka.topics import Topics
from streamer.web.metrics import Metrics

_encode = msgspec.json.encode


class NormaliseStage:
    """Any accepted format in, canonical usage events out, keyed by tenant. Keeps no state."""

    def __init__(self, decoder: Decoder, topics: Topics, metrics: Metrics) -> None:
        self._decoder, self._topics = decoder, topics
        self._metrics, self._aside = metrics, Aside(topics.dead_letters, metrics)

    def apply(self, records: Sequence[Record], now: float) -> Iterator[Out]:
        """Decode records; what is rejected goes to the dead letters."""
        for place, item in self._decoder.decode_run(records, now):
            if isinstance(item, Rejected):
                yield self._aside.rejected(records[place], item, now)
            elif isinstance(item, Skipped):
                self._metrics.skipped.labels(item.cause).inc()
            else:
                yield Out(self._topics.usage, item.tenant, _encode(item), within=SOON)

    def tick(self, now: float) -> Iterable[Out]:
        """Time changes nothing."""
        return ()

    def report(self) -> None:
        """What is counted is counted at once."""

    def touched(self) -> Mapping[str | None, Sequence[int]]:
        """There is no state."""
        return {}

    def owners(self) -> Collection[str]:
        """There is no state."""
        return ()

    def changes(self, owner: str | None = None) -> Iterator[tuple[str, bytes | None]]:
        """There is no state."""
        return iter(())

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """There is no state."""
