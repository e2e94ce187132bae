"""The documents' blocks as what a reader would type: statements of a shell, without the answers shown between them."""

import re
import shlex
from collections.abc import Iterator

SEED = "TIDEGATE_TEST_CHAOS_SEED=7"
#: With what a statement begins that is meant to be typed.
PROGRAMS = ("tidegate", "curl", "make", "docker", "pip", "export", "litellm", "aws", "for", SEED)


def statements(text: str) -> Iterator[str]:
    """Give the statements of a block; where some lines have a prompt, the others are answers."""
    lines = text.splitlines()
    prompted = any(line.lstrip().startswith("$ ") for line in lines)
    statement = ""
    for line in lines:
        if not statement and prompted and not line.lstrip().startswith("$ "):
            continue
        statement += line.lstrip().removeprefix("$ ") + "\n" if not statement else line + "\n"
        if _is_whole(statement):
            if statement.split(maxsplit=1)[:1] and statement.split(maxsplit=1)[0] in PROGRAMS:
                yield statement.strip()
            statement = ""
    assert not statement.strip(), f"no end: {statement}"


def _is_whole(statement: str) -> bool:
    if re.search(r"(\\|\|)\n$", statement):
        return False
    if statement.startswith("for ") and not statement.rstrip().endswith("done"):
        return False
    try:
        shlex.split(statement, comments=True)
    except ValueError:  # within quotes
        return False
    return True
