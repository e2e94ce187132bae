"""Compiles the hot path where mypyc and a C compiler are at hand; elsewhere Tidegate is installed as it stands.

Both give the same (docs/decisions/0035). `COMPILE_HOT_PATH=0` leaves it out; all else stands in pyproject.toml.
"""

import os
import shutil
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from setuptools import Extension, setup

ROOT = Path(__file__).parent


def can_compile() -> bool:
    """Tell whether there is all that it takes."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    return find_spec("mypyc") is not None and shutil.which(compiler) is not None and header.exists()


def extensions() -> list[Extension]:
    """Give what is to be compiled: the modules of compiled.txt, none where that cannot be."""
    if os.environ.get("COMPILE_HOT_PATH") == "0" or not can_compile():
        return []
    from mypyc.build import mypycify  # noqa: PLC0415 - only where it is there

    # mypyc finds the modules by their paths from here.
    os.chdir(ROOT)
    modules = (ROOT / "compiled.txt").read_text().split()
    # Without debugging symbols, and not for the last percent: that halves the time that it takes.
    found = mypycify([*modules, "--follow-imports=silent"], opt_level="2", debug_level="0", group_name="tidegate")
    return list(found)


sys.path.insert(0, str(ROOT))  # mypy looks for what the modules import
setup(ext_modules=extensions())
