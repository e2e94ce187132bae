"""The command line: `tidegate`. A module a group of commands; each puts its own into `base.cli`."""

import sys

#: What shells give a program that Ctrl-C ended.
_INTERRUPTED = 130


def main() -> None:
    """Run the command line; see `base.run`. Ctrl-C ends it without a word, however early it comes."""
    try:
        # Imports of libraries are most of a short command's time.
        from streamer.cli.base import run  # noqa: PLC0415

        sys.exit(run())
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
