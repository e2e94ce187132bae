"""The layout of the state, by number: what stages write down, and how state of an older layout is read.

Whoever changes what a stage writes down raises LAYOUT and adds to UPGRADES how its parts come from those of the layout
before; see docs/decisions/0031. A state of a newer layout is refused, for half of it would be lost in silence.
"""

from collections.abc import Callable, Mapping

import msgspec

from streamer.errors import StateUnreadable
from streamer.tenant import MODELS

#: The layout that is written.
LAYOUT = 3
#: The layout of a head that names none.
FIRST = 1
Parts = Mapping[str, bytes]
Upgrade = Callable[[Parts], Parts]


def _with_sessions(parts: Parts) -> Parts:
    """From 1 to 2: models know how often sessions begin, which is learned anew after layout 1.

    The head, too, tells more: which records behind its position the parts have. A reader of layout 1 would count them
    twice.
    """
    pack, unpack = msgspec.msgpack.encode, msgspec.msgpack.decode
    ours = f"{MODELS}/"
    return {name: pack([*unpack(part), b""]) if name.startswith(ours) else part for name, part in parts.items()}


def _with_answers(parts: Parts) -> Parts:
    """From 2 to 3: models may know the output a request, which is learned anew after layout 2."""
    return parts


#: How parts become those of the next layout, by the layout that they are of. A part's name says which stage's it is.
UPGRADES: Mapping[int, Upgrade] = {1: _with_sessions, 2: _with_answers}


def upgraded(parts: Parts, layout: int, to: int = LAYOUT, by: Mapping[int, Upgrade] = UPGRADES) -> Parts:
    """Give the parts as the present layout has them; raises StateUnreadable.

    >>> upgraded({"a": b"1"}, 1, to=2, by={1: lambda parts: {f"tenant/{name}": part for name, part in parts.items()}})
    {'tenant/a': b'1'}
    """
    check(layout, to, by)
    for step in range(layout, to):
        parts = by[step](parts)
    return parts


def check(layout: int, to: int = LAYOUT, by: Mapping[int, Upgrade] = UPGRADES) -> None:
    """Make sure that state of a layout can be read; raises StateUnreadable, which says what to do."""
    if layout > to:
        raise StateUnreadable(
            f"the state has layout {layout}, of a newer Tidegate; this one reads up to {to}: "
            "install the newer one again, or restore a backup that this one made"
        )
    if missing := [step for step in range(layout, to) if step not in by]:
        raise StateUnreadable(
            f"the state has layout {layout}, which is no longer read: first run a version that writes {missing[0] + 1}"
        )
