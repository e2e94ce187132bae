"""How many sessions begin in a window: those that were not heard of lately."""

from collections import OrderedDict
from collections.abc import Iterable

from mypy_extensions import mypyc_attr

from streamer.windows.shape import Shape

# So many sessions of a tenant are remembered; of a tenant that has more at a time some count more than once.
_MOST = 512


@mypyc_attr(acyclic=True)
class Begun:
    """The sessions of one tenant that were heard of in the last `memory` windows; windows are numbered.

    >>> begun = Begun(memory=30)
    >>> first = [Shape("s1", 2, 7.0, None), Shape("s2", 1, 7.0, None), Shape("", 3, 7.0, None)]
    >>> begun.count(first, 100), begun.count(first[:1], 100), begun.count(first[:2], 101), begun.count(first[:1], 140)
    (5, 1, 0, 1)
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        # By name: in which window a session began, and in which it was heard of last; the longest silent first.
        self._known: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def count(self, shapes: Iterable[Shape], number: int) -> int:
        """Count what began in window `number`: sessions, and requests that name none. May be asked for any part."""
        # What asks several models has several shapes: a session begins once for all that, but requests of none add up.
        requests: dict[str, int] = {}
        for shape in shapes:
            requests[shape.session] = requests.get(shape.session, 0) + shape.requests
        return sum(self._begins(session, number) if session else held for session, held in requests.items())

    def snapshot(self) -> list[tuple[str, int]]:
        """Give the sessions and the windows in which they were heard of last, for the end of a window."""
        return [(session, last) for session, (_, last) in self._known.items()]

    def restore(self, known: list[tuple[str, int]]) -> None:
        """Take up what `snapshot` gave."""
        self._known = OrderedDict((session, (last, last)) for session, last in known)

    def _begins(self, session: str, number: int) -> bool:
        known = self._known.get(session)
        if known and known[1] == number:
            return known[0] == number
        began = known[0] if known and number - known[1] <= self._memory else number
        self._known[session] = began, number
        self._known.move_to_end(session)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)
        return began == number
