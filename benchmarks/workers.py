"""Two workers beside one, on the same topic of four partitions: `python -m benchmarks.workers`."""

from benchmarks import processes, results, topics
from benchmarks.events import log_of
from benchmarks.live import run

_COUNT = 400_000


def measure(bootstrap: str, rounds: int = 2, count: int = _COUNT) -> None:
    """Take turns, and keep the ratio of the best rounds."""
    log, found = log_of(count, topics.markers()), dict[int, list[float]]({1: [], 2: []})
    for _ in range(rounds):
        for workers, rates in found.items():
            mine = run("tidegate", bootstrap, log, workers)
            if not mine.right:
                raise RuntimeError(f"{workers} workers gave wrong totals")
            rates.append(mine.rate)
            print(f"{workers} workers {mine.rate:,.0f} events a second", flush=True)
    one, two = max(found[1]), max(found[2])
    results.keep({"workers.1": one, "workers.2": two, "workers_2_over_1": two / one})


def main() -> None:
    """Start a broker, and measure."""
    with processes.broker() as kafka:
        measure(kafka.bootstrap)


if __name__ == "__main__":
    main()
