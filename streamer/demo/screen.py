"""What one sees of the demo: spend by tenant, the story's steps, and what people and gateways are told."""

import time
from collections import deque

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from streamer.demo.story import Chapter, Story

_BARS = "▁▂▃▄▅▆▇█"


class Screen:
    """A live page where there is a terminal, and one line after the other where there is none."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._lines: deque[str] = deque(maxlen=12)
        self._messages: deque[str] = deque(maxlen=14)
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> "Screen":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    @property
    def seconds(self) -> float:
        """Seconds since the demo began."""
        return time.monotonic() - self._started

    def say(self, text: str) -> None:
        """Show a piece of news."""
        line = f"{self.seconds:5.1f} s  {text}"
        self._lines.append(line)
        if not self._live:
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def message(self, line: str) -> None:
        """Show a line that an owner was told."""
        self._messages.append(line)
        if not self._live:
            self._console.print(f"         │ {line}", highlight=False, markup=False, soft_wrap=True)

    def draw(self, story: Story) -> None:
        """Bring the page up to date."""
        if self._live:
            self._live.update(Group(_rates(story), _chapters(story), *self._panels()), refresh=True)

    def rates(self, story: Story) -> None:
        """Print the spend rates as lines, where there is no live page."""
        if not self._live:
            for tenant, rates in sorted(story.rates.items()):
                self.say(f"{tenant:<10} {rates[-1]:>9,.2f} $/h  {bars(list(rates))}")

    def _panels(self) -> list[Panel]:
        news = Panel(Text("\n".join(self._lines)), title="what happens", title_align="left")
        told = Panel(Text("\n".join(self._messages)), title="what the owner is told", title_align="left")
        return [news, told]


def bars(rates: list[float]) -> str:
    """Draw rates as a line of blocks.

    >>> bars([0, 1, 2])
    '▁▄█'
    """
    top = max([*rates, 1e-9])
    return "".join(_BARS[max(0, min(int(rate / top * 7.999), 7))] for rate in rates)


def _rates(story: Story) -> Table:
    table = Table(title=f"Tidegate demo · {story.events:,} events metered", title_justify="left", expand=True)
    table.add_column("tenant")
    table.add_column("$ an hour", justify="right")
    table.add_column("the last 80 seconds")
    for tenant, rates in sorted(story.rates.items()):
        table.add_row(tenant, f"{rates[-1]:,.2f}", bars(list(rates)))
    return table


def _chapters(story: Story) -> Table:
    table = Table(expand=True, title="two plantings", title_justify="left")
    table.add_column("")
    for step in Chapter.STEPS:
        table.add_column(step)
    for chapter in story.chapters.values():
        cells = [f"✓ {chapter.seen[step]:.1f} s" if step in chapter.seen else "·" for step in chapter.STEPS]
        table.add_row(f"{chapter.kind} at {chapter.tenant}", *cells)
    return table
