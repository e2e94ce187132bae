"""What was applied and is not written yet, by whom it belongs to."""

from collections.abc import Collection, Mapping, Sequence

from streamer.kafka.stage import LATER, Out


class Waiting:
    """What came of records, and which records changed whom, until a checkpoint takes it. Pure.

    What belongs to nobody has its place in the log, and is written when the position passes it.
    """

    def __init__(self) -> None:
        #: How many outputs wait.
        self.many = 0
        #: Whether only a whole checkpoint will do: what is nobody's is waited for, or owners share a record.
        self.whole = False
        #: The owners that somebody waits for.
        self.hurried: set[str] = set()
        self._outs: dict[str, list[Out]] = {}
        self._nobodys: list[tuple[int, Out]] = []
        self._records: dict[str, list[int]] = {}

    @property
    def owners(self) -> Collection[str]:
        """Those of whom something waits."""
        return self._outs.keys() | self._records.keys()

    def keep(self, out: Out, position: int) -> None:
        """Keep an output that came of what was applied from `position` on."""
        self.many += 1
        if out.owner is None:
            self._nobodys.append((position, out))
            self.whole |= out.within < LATER
            return
        self._outs.setdefault(out.owner, []).append(out)
        if out.within < LATER:
            self.hurried.add(out.owner)

    def touch(self, touched: Mapping[str | None, Sequence[int]]) -> None:
        """Take note which records changed whom; a record of several, nobody among them, needs a whole checkpoint."""
        for owner, offsets in touched.items():
            if owner is not None:
                self._records.setdefault(owner, []).extend(offsets)
        if len(touched) > 1 and sum(map(len, touched.values())) > len(set().union(*touched.values())):
            self.whole = True

    def taken(self, owner: str) -> tuple[list[Out], list[int]]:
        """Hand over the outputs of an owner, and the offsets of the records that changed it."""
        outs = self._outs.pop(owner, [])
        self.many -= len(outs)
        self.hurried.discard(owner)
        return outs, self._records.pop(owner, [])

    def passed(self, position: int) -> list[Out]:
        """Hand over what is nobody's and came of records before `position`."""
        outs = [out for since, out in self._nobodys if since < position]
        self._nobodys = [(since, out) for since, out in self._nobodys if since >= position]
        self.many -= len(outs)
        return outs

    def all(self) -> list[Out]:
        """Hand over everything: the checkpoint is whole. Each owner's outputs are in their order."""
        outs = [out for _, out in self._nobodys]
        for mine in self._outs.values():
            outs += mine
        self.many, self.whole = 0, False
        for waiting in (self.hurried, self._outs, self._nobodys, self._records):
            waiting.clear()
        return outs
