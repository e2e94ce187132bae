"""Two workers beside one, on the same topic of four partitions: `python -m benchmarks.workers`."""

from benchmarks import processes, results, topics
from benchmarks.events import log_of
from benchmarks.live import Round, best, run

_COUNT = 400_000


def measure(bootstrap: str, rounds: int = 2, count: int = _COUNT) -> None:
    """Take turns, and keep the ratio of the best rounds; none where totals are wrong."""
    log, found = log_of(count, topics.markers()), dict[int, list[Round]]({1: [], 2: []})
    for _ in range(rounds):
        for workers, mine in found.items():
            mine.append(run("tidegate", bootstrap, log, workers))
            print(f"{workers} workers {mine[-1]}", flush=True)
    right = all(one.right for mine in found.values() for one in mine)
    one, two = best(found[1]).rate, best(found[2]).rate
    ratio = {"workers.1": one, "workers.2": two, "workers_2_over_1": two / one}
    results.keep({"workers.totals": "right" if right else "WRONG", **(ratio if right else {})})


def main() -> None:
    """Start a broker, and measure."""
    with processes.broker() as kafka:
        measure(kafka.bootstrap)


if __name__ == "__main__":
    main()
