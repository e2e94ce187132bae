"""Quix Streams: a tumbling window with its state in RocksDB and a changelog topic, at least once."""

from decimal import Decimal
from typing import Any

from quixstreams import Application
from quixstreams.models import Deserializer

from benchmarks.contenders import job


class UsageDeserializer(Deserializer):  # type: ignore[misc] # not installed where mypy runs
    """Decodes as all contenders do."""

    def __call__(self, value: bytes, ctx: Any) -> job.Usage:
        """Decode one record's value."""
        return job.decode(value)


def _time(value: job.Usage, _headers: Any, _timestamp: float, _kind: Any) -> int:
    return int(value.time.timestamp() * 1000)


# Its state is kept as JSON, which has no decimals: they are written as text.
def _first(usage: job.Usage) -> list[Any]:
    return [usage.tokens, str(usage.cost_usd)]


def _more(total: list[Any], usage: job.Usage) -> list[Any]:
    return [total[0] + usage.tokens, str(Decimal(total[1]) + usage.cost_usd)]


def _closed(window: Any, key: bytes, _timestamp: int, _headers: Any) -> bytes:
    tokens, usd = window["value"]
    return job.encode(job.Closed(key.decode(), window["start"] / 1000, tokens, Decimal(usd)))


def main() -> None:
    """Run for ever; the interval of commits is Quix's own, five seconds."""
    args = job.args()
    app = Application(
        broker_address=args.bootstrap,
        consumer_group=args.group,
        auto_offset_reset="earliest",
        state_dir=args.folder,
        loglevel="WARNING",
        auto_create_topics=True,
    )
    source = app.topic(args.source, value_deserializer=UsageDeserializer(), timestamp_extractor=_time)
    sink = app.topic(args.sink, value_serializer="bytes")
    frame = app.dataframe(source)
    frame = frame.tumbling_window(int(job.SIZE * 1000), grace_ms=int(job.LATENESS * 1000))
    frame = frame.reduce(_more, _first).final()
    frame.apply(_closed, metadata=True).to_topic(sink)
    app.run()


if __name__ == "__main__":
    main()
