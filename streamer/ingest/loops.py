"""The event loop of the front door: uvloop, which spends less on each request, where there is one."""

import asyncio
from collections.abc import Callable
from importlib import import_module


def factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Give what makes the loop; None for Python's own, where uvloop is not made for the system."""
    try:
        made: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
    except ModuleNotFoundError:
        return None
    return made
