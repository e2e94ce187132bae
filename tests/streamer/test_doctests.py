"""The examples in the docstrings are true."""

import doctest
import importlib
import sys
import warnings
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for package in ("streamer", "detectors", "alerts")
    for path in (ROOT / package).rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


def _source_of(module: ModuleType) -> ModuleType:
    """Give a module that was compiled as its source has it: compiled functions show no examples."""
    if module.__file__ is None or module.__file__.endswith(".py"):
        return module
    path = Path(module.__file__).with_name(module.__name__.rpartition(".")[2] + ".py")
    spec = spec_from_file_location(module.__name__, path)
    assert spec and spec.loader
    source = module_from_spec(spec)
    spec.loader.exec_module(source)
    return source


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run_as_they_are_written(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings():
        # Libraries may warn while they are imported; the examples themselves may not.
        warnings.simplefilter("ignore")
        module = _source_of(importlib.import_module(name))
    # doctest takes for a module's own what says so itself.
    monkeypatch.setitem(sys.modules, name, module)
    failed, tried = doctest.testmod(module)
    assert tried
    assert not failed
