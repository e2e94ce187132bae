"""The examples in the docstrings are true."""

import doctest
import importlib
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for package in ("streamer", "detectors", "alerts")
    for path in (ROOT / package).rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run_as_they_are_written(name: str) -> None:
    with warnings.catch_warnings():
        # Libraries may warn while they are imported; the examples themselves may not.
        warnings.simplefilter("ignore")
        module = importlib.import_module(name)
    failed, tried = doctest.testmod(module)
    assert tried
    assert not failed
