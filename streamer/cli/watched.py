"""What commands share that read whole sources: a bar that shows how far they are, and Ctrl-C that ends them whole."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from streamer.clock import utc
from streamer.replay.extent import Control
from streamer.replay.extent import Progress as Seen

#: The option that makes the first fault of a source the last.
STRICT = click.option("--strict", is_flag=True, help="Stop at the first bad row, damage or disorder of a source.")


@contextmanager
def watched() -> Iterator[Control]:
    """Show progress, and go on until Ctrl-C; a second Ctrl-C ends the process at once."""
    stopped: list[bool] = []

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.append(True)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, stop)
    columns = (BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TextColumn("{task.description}"))
    console = Console(stderr=True)
    bar = Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal)
    with bar:
        task = bar.add_task("", total=None)

        def watch(seen: Seen) -> None:
            elapsed = bar.tasks[0].elapsed or 0.0
            rate = seen.events / elapsed if elapsed else 0.0
            said = f"{seen.events:,} events, {rate:,.0f} a second, {utc(seen.at):%Y-%m-%d %H:%M}" if seen.events else ""
            bar.update(task, total=seen.size or None, completed=seen.read, description=said)

        try:
            yield Control(lambda: not stopped, watch)
        finally:
            signal.signal(signal.SIGINT, before)
