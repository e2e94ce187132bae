"""Spoils records of every format and holds the decoder to its word: `python -m benchmarks.fuzz --seconds 3600`.

Whatever a record holds, it must give at least one answer, in bounded time; each answer is an event that is written and
read again, a named reason with a dead letter, or something left out; no planted word gets through; and memory does not
grow. Prints what it did, and exits 1 at the first broken promise with the record that broke it (`--keep` says where to
write that).
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fuzz import promises
from benchmarks.fuzz.promises import BrokenPromise, Memory, check
from benchmarks.fuzz.seeds import seeds
from benchmarks.fuzz.spoiling import spoil


def run(seconds: float, number: int, keep: Path | None = None, folders: Sequence[Path] = ()) -> Counter[str]:
    """Spoil records for a while, from a seed number; counts records, what became of them, and megabytes of memory.

    Raises BrokenPromise.
    """
    chance, known = random.Random(number), seeds(folders)
    made, memory = promises.decoders(), Memory()
    counts: Counter[str] = Counter()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        seed, readable = spoil(known, chance)
        try:
            found = check(chance.choice(made), seed, readable=readable)
            memory.look(counts["records"])
        except BrokenPromise:
            if keep:
                keep.write_bytes(seed.record)
            raise
        counts["records"] += 1
        counts.update(type(item).__name__ for item in found)
    counts.update({"MB held once warm": memory.warm >> 20, "MB held at most": memory.most >> 20})
    return counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to go on (default: 60)")
    parser.add_argument("--seed", type=int, default=None, help="a number that makes the run come again")
    parser.add_argument("--keep", type=Path, default=None, help="where to write a record that broke a promise")
    parser.add_argument("--from", dest="folders", type=Path, action="append", default=[], help="more records to spoil")
    given = parser.parse_args(arguments)
    number = time.time_ns() if given.seed is None else given.seed
    print(f"seed {number}")
    try:
        counts = run(given.seconds, number, given.keep, given.folders)
    except BrokenPromise as broken:
        print(f"broken: {broken}")
        return 1
    print(", ".join(f"{count:,} {name}" for name, count in counts.most_common()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
