"""A process that takes a known share of a CPU, to try measurements with: `python -m benchmarks.busy SHARE`."""

import sys
import time

_TURN = 0.1


def run(share: float) -> None:
    """Compute for that share of each tenth of a second, for ever."""
    while True:
        began, used = time.monotonic(), time.process_time()
        while time.process_time() - used < share * _TURN:
            sum(range(1000))
        time.sleep(max(0.0, began + _TURN - time.monotonic()))


if __name__ == "__main__":
    run(float(sys.argv[1]))
