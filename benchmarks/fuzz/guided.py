"""The fuzzer guided by coverage: `python -m benchmarks.fuzz.guided -max_total_time=600`, where atheris is installed.

libFuzzer keeps each record that reaches code which none before it reached, and spoils those further; the promises are
the same. Arguments are libFuzzer's own; records that it keeps are in build/fuzz, where the next run goes on from.
"""

import random
import sys
from collections.abc import Sequence
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["streamer"]):
    from benchmarks.fuzz import promises
    from benchmarks.fuzz.seeds import Seed, seeds
    from benchmarks.fuzz.spoiling import spoiled

CORPUS = Path(__file__).parents[2] / "build" / "fuzz"
_KNOWN = seeds()
# By which headers a record comes, its first byte says.
_HEADERS = [dict(pairs) for pairs in {tuple(sorted(seed.headers.items())): None for seed in _KNOWN}]
_DECODERS = promises.decoders()


def check(data: bytes) -> None:
    """Hold the decoder to its promises about a record; raises BrokenPromise."""
    if data:
        seed = Seed(data[1:], _HEADERS[data[0] % len(_HEADERS)], None)
        promises.check(_DECODERS[data[0] & 1], seed, readable=False)


def mutated(data: bytes, most: int, number: int) -> bytes:
    """Spoil a record as the unguided fuzzer does, or as libFuzzer would."""
    chance = random.Random(number)
    if chance.random() < 0.5 or not data:
        return bytes(atheris.Mutate(data, most))
    return (data[:1] + spoiled(data[1:], chance, _KNOWN))[:most]


def planted(folder: Path) -> None:
    """Write the golden records into the folder of what libFuzzer begins with."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(_KNOWN):
        place = _HEADERS.index(dict(seed.headers))
        (folder / f"golden-{number}").write_bytes(bytes([place]) + seed.record)


def main(arguments: Sequence[str]) -> None:
    """Run until a promise is broken, or libFuzzer's arguments say that it is enough."""
    planted(CORPUS)
    atheris.Setup([*arguments, "-max_len=65536", "-timeout=30", str(CORPUS)], check, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
