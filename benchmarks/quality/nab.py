"""`tidegate score` by the rules of the Numenta Anomaly Benchmark, on all series at hand and by split.

On all: the scores of every series as the command writes them, one threshold for all, chosen over the corpus as the
benchmark does. The defaults of `OutlierParams` were chosen on these same series, so that this figure flatters them.

By split: the series are halved, once by turns (every other of the sorted names) and then at random by fixed seeds. On
one half the threshold is chosen, on the other it is applied; then the halves change places. `by_split` keeps the
default parameters; `by_split_reselected` also chooses the parameters anew on the tuning half, out of GRID, each with
its own best threshold there. Both are means over all directions of all splits. Neither undoes that the method itself
(which views, what a vote is) was found on these series: only series never seen before tell about that.
"""

import csv
import itertools
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from river import anomaly

from benchmarks.quality.measure import spread
from detectors import OutlierParams, OutlierScorer
from streamer.replay.score import write_scores

_SHARED = Path(__file__).parents[3] / "shared"
DATA, TOOL = _SHARED / "data" / "nab", _SHARED / "tools" / "nab_score.py"
PROFILES = ("standard", "low_fp", "low_fn")
GRID = [
    OutlierParams(spans=spans, margins=margins, hold=hold)
    for spans, margins, hold in itertools.product(((1, 4, 16), (1, 10)), ((0.03, 0.1), (0.01, 0.03)), (80, 100))
]
_SEEDS = (1, 2)
_ROUNDS = 3


class Result(NamedTuple):
    """What the tool says of one profile."""

    score: float
    threshold: float


class Corpus:
    """The benchmark's series and its tool, and a folder for what is written."""

    def __init__(self, data: Path, tool: Path, folder: Path) -> None:
        self.data, self.tool, self.folder = data.resolve(), tool.resolve(), folder
        self.windows: dict[str, list[list[str]]] = json.loads((data / "windows.json").read_text())
        self.names = sorted(self.windows)

    def score(self, scores: str, params: OutlierParams) -> None:
        """Score all series by `params` into the folder `scores`."""
        for name in self.names:
            out = self.folder / scores / name
            out.parent.mkdir(parents=True, exist_ok=True)
            write_scores(self.data / name, out, params)

    def judge(self, scores: str, names: Iterable[str], threshold: float | None = None) -> dict[str, Result]:
        """Run the tool on the scores of some series; gives its result for each profile."""
        with TemporaryDirectory(dir=self.folder) as part:
            for family in {name.split("/")[0] for name in names}:
                (Path(part) / family).symlink_to(self.data / family)
            (Path(part) / "windows.json").write_text(json.dumps({name: self.windows[name] for name in names}))
            fixed = [] if threshold is None else ["--threshold", repr(threshold)]
            command = [sys.executable, str(self.tool), part, str(self.folder / scores), *fixed]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        lines = map(str.split, said.splitlines())
        # The threshold is printed with six digits; rounded up, it would miss the score that it was chosen for.
        return {profile: Result(float(score), float(at) * (1 - 1e-5)) for profile, score, _, _, at in lines}


def measure(data: Path, tool: Path, processes: int = 1) -> dict[str, Any]:
    """Give the figures of the module's docstring; `data` is the benchmark's folder, `tool` its `nab_score.py`."""
    with TemporaryDirectory() as folder:
        corpus = Corpus(data, tool, Path(folder))
        for _ in spread(partial(_score, corpus), range(len(GRID)), processes):
            pass
        whole = corpus.judge("0", corpus.names)
        return {
            **{profile: whole[profile].score for profile in PROFILES},
            "threshold": whole["standard"].threshold,
            "by_split": _by_split(corpus, range(1), processes),
            "by_split_reselected": _by_split(corpus, range(len(GRID)), processes),
            "by_family": _by_family(corpus, whole["standard"].threshold),
            **_cost(corpus),
        }


def _score(corpus: Corpus, number: int) -> None:
    corpus.score(str(number), GRID[number])


def _halves(names: list[str]) -> Iterator[tuple[list[str], list[str]]]:
    """Both directions of each split: (the half to tune on, the half to report)."""
    for order in (names[::2] + names[1::2], *(random.Random(seed).sample(names, len(names)) for seed in _SEEDS)):
        middle = (len(order) + 1) // 2
        yield order[:middle], order[middle:]
        yield order[middle:], order[:middle]


def _by_split(corpus: Corpus, candidates: Sequence[int], processes: int) -> float:
    # The tool is a process of its own each time, so that threads suffice to wait for it.
    with ThreadPool(processes) as pool:
        halves = list(_halves(corpus.names))
        return fmean(pool.starmap(partial(_carried_over, corpus, candidates), halves))


def _carried_over(corpus: Corpus, candidates: Sequence[int], tuning: list[str], reported: list[str]) -> float:
    tuned = {str(number): corpus.judge(str(number), tuning)["standard"] for number in candidates}
    chosen = max(tuned, key=lambda number: tuned[number].score)
    return corpus.judge(chosen, reported, tuned[chosen].threshold)["standard"].score


def _by_family(corpus: Corpus, threshold: float) -> dict[str, float]:
    """The standard score of each family that has windows, all by the one threshold of the corpus."""
    figures: dict[str, float] = {}
    for family, members in itertools.groupby(corpus.names, lambda name: name.split("/")[0]):
        names = list(members)
        if any(corpus.windows[name] for name in names):
            figures[family] = corpus.judge("0", names, threshold)["standard"].score
    return figures


def _cost(corpus: Corpus) -> dict[str, float]:
    """Microseconds a row of the scorer and of river's GaussianScorer over the same rows, each in its best round."""
    series = [list(_rows(corpus.data / name)) for name in corpus.names]
    best = {side.__name__: min(_timed(side, series) for _ in range(_ROUNDS)) for side in (_outlier, _gaussian)}
    ours, theirs = best["_outlier"], best["_gaussian"]
    return {
        "us_per_row": ours,
        "us_per_row.river_gaussian": theirs,
        "cost_over_river_gaussian": ours / theirs,
    }


def _rows(path: Path) -> Iterator[tuple[float, float]]:
    with path.open(newline="") as lines:
        for row in csv.DictReader(lines):
            yield datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC).timestamp(), float(row["value"])


def _timed(side: Callable[[list[tuple[float, float]]], None], series: list[list[tuple[float, float]]]) -> float:
    begin = time.process_time()
    for rows in series:
        side(rows)
    return (time.process_time() - begin) * 1e6 / sum(map(len, series))


def _outlier(rows: list[tuple[float, float]]) -> None:
    scorer = OutlierScorer(OutlierParams())
    for at, value in rows:
        scorer.observe(at, value)


def _gaussian(rows: list[tuple[float, float]]) -> None:
    scorer: Any = anomaly.GaussianScorer()  # type: ignore[no-untyped-call] # river has no types here
    for _, value in rows:
        scorer.score_one(None, value)
        scorer.learn_one(None, value)
