"""What the words of a command name: files, all files of a folder, those that fit a pattern, or a topic."""

from collections.abc import Iterator, Sequence
from glob import glob, has_magic
from pathlib import Path

from streamer.errors import SourceUnreadable

TOPIC = "kafka://"
#: The kinds of files that can be read, by the ending that their names have, compressed or not.
KINDS = ("jsonl", "ndjson", "json", "csv", "parquet")
#: What is wrong with any other file.
NO_KIND = f"not a {', '.join(f'.{kind}' for kind in KINDS[:-1])} or .{KINDS[-1]} file (.gz, .zst too)"


def expand(words: Sequence[str]) -> list[str]:
    """Give the sources that `words` name, each once, in the order of the words and then of their names.

    A folder stands for all readable files below it but those with `.` or `_` before a part of the name, which is how
    archives keep what is no data. Raises SourceUnreadable where a word names nothing.
    """
    return list(dict.fromkeys(source for word in words for source in _named(word)))


def kind_of(path: Path) -> str:
    """Give a file's kind, "" where it is none that can be read; capitals mean nothing.

    >>> kind_of(Path("BILL.CSV.gz")), kind_of(Path("bill.xlsx"))
    ('csv', '')
    """
    kind = path.name.lower().removesuffix(".gz").removesuffix(".zst").rpartition(".")[2]
    return kind if kind in KINDS else ""


def spelled(source: str) -> str:
    r"""Give a source's name as people and JSON take it: a file may have one whose bytes are no text.

    >>> spelled("caf\udce9.jsonl")
    'caf\\xe9.jsonl'
    """
    return source.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _named(word: str) -> list[str]:
    if word.startswith(TOPIC):
        return [word]
    # A name may hold the signs of a pattern itself.
    if Path(word).is_dir():
        return _some(map(str, _below(Path(word))), f"{word}: the folder holds no file that can be read")
    if has_magic(word) and not Path(word).exists():
        found = sorted(glob(word, recursive=True))  # noqa: PTH207 - a pattern may begin anywhere
        files = (source for name in found for source in ([name] if Path(name).is_file() else _named(name)))
        return _some(files, f"{word}: no file has such a name")
    if not Path(word).exists():
        raise SourceUnreadable(f"{word}: there is no such file")
    if not kind_of(Path(word)):
        raise SourceUnreadable(f"{word}: {NO_KIND}")
    return [word]


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and kind_of(path) and not any(part.startswith((".", "_")) for part in parts):
            yield path


def _some(sources: Iterator[str], otherwise: str) -> list[str]:
    found = list(sources)
    if not found:
        raise SourceUnreadable(otherwise)
    return found
