"""Files that get their names when they are whole."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: What ends a file's name until it is whole.
UNFINISHED = ".part"


@contextmanager
def folder(path: Path) -> Iterator[None]:
    """Make a folder for what is written into it; where that fails it is gone again, if it was not there before."""
    made = not path.exists()
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        if made:
            with suppress(OSError):
                path.rmdir()
        raise


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give where to write what is to be at `path`; what was there stays until then, and for good where that fails.

    Made at once, so that a place that cannot be written is known before hours of reading. Raises OSError.
    """
    if path.exists() and not path.is_file():
        # A pipe or device holds nothing to keep, and a folder says that it is one.
        path.open("ab").close()
        yield path
        return
    path = path.resolve()
    part = path.with_name(f".{path.name}{UNFINISHED}")
    try:
        part.touch()
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
