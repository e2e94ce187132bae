"""What is compiled gives what its source gives, to the byte."""

import json
import os
import shutil
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

import streamer.tenant

ROOT = Path(__file__).parents[2]
MODULES = (ROOT / "compiled.txt").read_text().split()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (streamer.tenant.__file__ or "").endswith(tuple(EXTENSION_SUFFIXES)), reason="nothing is compiled here"
    ),
]

# All kinds of events, a burst and a loop, state taken down in the middle: as text, for another process.
_PROGRAM = """
import json, sys
import msgspec
import streamer.tenant
from streamer.config import Config
from streamer.demo.traffic import Traffic
from streamer.events.decoder import Decoder
from streamer.pipeline import Pipeline

begin, seconds = 1_790_000_000.0, 900.0
lines = [msgspec.json.encode(event) for event in Traffic(seed=5).due(begin, begin + seconds)]
events = [event for line in lines for event in Decoder().decode(line, begin + seconds)]
pipeline, outputs, written = Pipeline(Config()), [], []
for start in range(0, len(events), 400):
    run = events[start : start + 400]
    outputs.append(pipeline.submit(run, run[-1].time.timestamp()))
    written += [(key, part.hex() if part else None) for key, part in pipeline.changes()]
    if start == 4000:
        kept = {key: bytes.fromhex(part) for key, part in dict(written).items() if part}
        pipeline = Pipeline(Config())
        pipeline.restore(kept)
outputs.append(pipeline.flush())
print(json.dumps([streamer.tenant.__file__, msgspec.json.encode(outputs).decode(), written]))
"""


def test_what_is_compiled_gives_the_same_outputs_and_the_same_state_as_its_source(tmp_path: Path) -> None:
    for package in ("streamer", "detectors"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    compiled, source = _ran(ROOT), _ran(tmp_path)
    assert compiled[0].endswith(".so")
    assert source[0].endswith(".py")
    assert len(source[1]) > 100_000
    assert compiled[1:] == source[1:]


def test_each_module_that_is_to_be_compiled_is() -> None:
    missing = [name for name in MODULES if not list((ROOT / name).parent.glob(f"{Path(name).stem}.*.so"))]
    assert not missing


def _ran(root: Path) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _PROGRAM], cwd=root, env=environment, capture_output=True, check=True
    )
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_commands_run_what_is_compiled_here_wherever_they_are_started(tmp_path: Path) -> None:
    answer = "import streamer.tenant; print(streamer.tenant.__file__)"
    done = subprocess.run([sys.executable, "-c", answer], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == streamer.tenant.__file__, done.stderr
