"""A topic for several processes: it is read once, by a thread of the first process, and all of it handed to each.

Whoever takes from a topic stands at most as far behind the others as they may be ahead, so nobody waits for ever: what
one has read already was handed to all.
"""

from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from threading import Thread

import msgspec

from streamer.config import KafkaConfig
from streamer.errors import SourceUnreadable
from streamer.replay.extent import Extent
from streamer.replay.topic import ReadTopic, Record, topic_runs

# Some records, or what kept the rest from being read.
_Handed = list[Record] | str
_decode = msgspec.msgpack.Decoder(_Handed).decode


def hand_out(source: str, kafka: KafkaConfig, extent: Extent, takers: Sequence[Connection]) -> Thread:
    """Begin to read a topic, and to hand its records to all takers; it ends when they or the records do."""
    thread = Thread(target=_hand_out, args=(source, kafka, extent, list(takers)), daemon=True, name=source)
    thread.start()
    return thread


def taken(lines: Mapping[str, Connection]) -> ReadTopic:
    """Give what reads a topic, by its source, from the line on which it is handed out."""

    def read(source: str, _: KafkaConfig, __: Extent) -> Iterator[list[Record]]:
        while (handed := _received(lines[source])) is not None:
            yield handed

    return read


def _hand_out(source: str, kafka: KafkaConfig, extent: Extent, takers: list[Connection]) -> None:
    try:
        for records in topic_runs(source, kafka, extent):
            _send(records, takers)
            if not takers:
                return
    except SourceUnreadable as error:
        _send(str(error), takers)
    except Exception as error:  # the others are to hear of it, whatever it is
        _send(f"{source}: {error!r}", takers)
    finally:
        for taker in takers:
            taker.close()


def _send(what: _Handed, takers: list[Connection]) -> None:
    written = msgspec.msgpack.encode(what)
    for taker in list(takers):
        try:
            taker.send_bytes(written)
        except OSError:  # it has come to its end
            takers.remove(taker)
            taker.close()


def _received(line: Connection) -> list[Record] | None:
    try:
        handed: _Handed = _decode(line.recv_bytes())
    except EOFError:
        return None
    if isinstance(handed, str):
        raise SourceUnreadable(handed)
    return handed
