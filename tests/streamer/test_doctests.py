"""The examples in the docstrings are true."""

import ast
import doctest
import importlib
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    path.relative_to(ROOT)
    for package in ("streamer", "detectors", "alerts")
    for path in (ROOT / package).rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


def docstrings(path: Path) -> Iterator[tuple[str, str]]:
    """The names of a source's parts and their docstrings: what is compiled of them shows none."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield getattr(node, "name", path.stem), ast.get_docstring(node) or ""


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_the_examples_of_a_module_run_as_they_are_written(path: Path) -> None:
    with warnings.catch_warnings():
        # Libraries may warn while they are imported; the examples themselves may not.
        warnings.simplefilter("ignore")
        module = importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
    runner, parser = doctest.DocTestRunner(), doctest.DocTestParser()
    for name, text in docstrings(path):
        if ">>> " in text:
            runner.run(parser.get_doctest(text, dict(vars(module)), name, str(path), 0))
    failed, tried = runner.summarize()
    assert tried
    assert not failed
