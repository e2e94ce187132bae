"""What the decoder promises whatever a record holds, each checked."""

import os
import time
from collections.abc import Sequence

import msgspec

from benchmarks import cpu
from benchmarks.fuzz.seeds import MARKER, Seed
from streamer.events.decoder import Decoded, Decoder
from streamer.events.keeping import kept
from streamer.events.rejected import Rejected
from streamer.events.usage import UsageEvent

# After everything that the seeds tell of.
_NOW = 1_795_348_800.0
# Of CPU time, which says the same on a machine that is busy with other things.
_SLOWEST_SECONDS = 10.0
# Caches and pools fill in the first records; from then on the process may gain no more than one large record takes.
_WARM_UP, _MOST_GROWTH = 20_000, 64 << 20
# A bound of a record that spoiling reaches.
_MOST_BYTES = 1 << 20


class BrokenPromise(Exception):
    """The decoder did what it must not do."""


def decoders() -> list[Decoder]:
    """Make decoders of the settings that change what becomes of a record."""
    return [
        Decoder(hash_key="k", max_record_bytes=_MOST_BYTES),
        Decoder(default_tenant="acme", max_record_bytes=_MOST_BYTES),
    ]


def check(decoder: Decoder, seed: Seed, *, readable: bool) -> list[Decoded]:
    """Decode a record and check all promises; raises BrokenPromise.

    What is `readable` has the planted words under their own names still.
    """
    began = time.process_time()
    try:
        found = decoder.decode(seed.record, _NOW, seed.headers)
    except Exception as error:
        raise BrokenPromise(f"{type(error).__name__}: {error}") from error
    if (took := time.process_time() - began) > _SLOWEST_SECONDS:
        raise BrokenPromise(f"took {took:.1f} s of CPU time")
    if not found:
        raise BrokenPromise("no answer")
    _is_read_again(decoder, found)
    _is_silent(seed, found, readable=readable)
    return found


def _is_read_again(decoder: Decoder, found: Sequence[Decoded]) -> None:
    events = [item for item in found if isinstance(item, UsageEvent)]
    for event in events[:50]:
        if decoder.decode(msgspec.json.encode(event), _NOW) != [event]:
            raise BrokenPromise(f"the event is not read again as it was written: {event}")


def _is_silent(seed: Seed, found: Sequence[Decoded], *, readable: bool) -> None:
    rejected = [item for item in found if isinstance(item, Rejected)]
    # Bytes may be spoiled so that words stand under another field's name; then nobody can know them for words.
    kept_of = [item for item in rejected if readable or item.reason == "undecodable"][:20]
    told = repr(found if readable else rejected).encode() + b"".join(
        kept(seed.record, seed.headers, item) for item in kept_of
    )
    if MARKER in told:
        raise BrokenPromise("a planted word got through")


class Memory:
    """Holds the process to the memory that it had once it was warm; bytes, of which there are 0 before that."""

    def __init__(self) -> None:
        self.warm = self.most = 0

    def look(self, records: int) -> None:
        """Look now and then; raises BrokenPromise where it grew."""
        if not records or records % _WARM_UP:
            return
        held = cpu.resident(os.getpid())
        self.warm, self.most = self.warm or held, max(self.most, held)
        if held - self.warm > _MOST_GROWTH:
            raise BrokenPromise(f"memory grew from {self.warm >> 20} to {held >> 20} MB in {records} records")
