"""All benchmarks in order, on one broker: `make bench`. The figures go to build/bench.json."""

import argparse
import json
import subprocess
import sys

from benchmarks import door, latency, live, page, pipeline, processes, recovery, results, workers


def main() -> None:
    """Run all; about ten minutes."""
    argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__).parse_args()
    results.PATH.unlink(missing_ok=True)
    pipeline.main()
    # In a process of its own: what others have left in memory would count.
    subprocess.run([sys.executable, "-m", "benchmarks.memory"], check=True, cwd=processes.ROOT)
    with processes.broker() as kafka:
        live.measure(kafka.bootstrap)
        workers.measure(kafka.bootstrap)
        latency.measure(kafka.bootstrap, latency.half_load())
        recovery.measure(kafka.bootstrap)
        door.measure(kafka.bootstrap)
        page.measure(kafka.bootstrap)
    print(json.dumps(results.kept(), indent=2))


if __name__ == "__main__":
    main()
