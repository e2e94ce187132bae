"""Judges silence: streams that have stopped, told as soon as that is certain."""

import math
from collections import OrderedDict

from streamer.config import SilenceConfig
from streamer.judges.book import Book, Standing
from streamer.judges.cases import Reading
from streamer.judges.models import Models, Registry
from streamer.judges.relation import scope_of
from streamer.windows.entity import TENANT, Entity


class SilenceJudge:
    """The gaps of one tenant's entities; `size` is a window's length in seconds, windows are numbered."""

    def __init__(self, config: SilenceConfig, size: float, registry: Registry, book: Book) -> None:
        self._config, self._size, self._registry, self._book = config, size, registry, book
        # Whose silence may become certain, by the window that last held something; the longest silent first.
        self._waiting: OrderedDict[Entity, int] = OrderedDict()

    @property
    def waits(self) -> bool:
        """Whether passing time alone may bring a silence to light."""
        return bool(self._waiting)

    def on_close(self, models: Models, number: int, start: float) -> None:
        """Learn that an entity had something in window `number`; an open case of it is over."""
        gap = number - models.horizons.last - 1
        models.silence.learn_one(max(0, gap))
        for case in self._book.of(models.entity, "silence") if self._book else ():
            self._book.close(case, start)
        if not self._config.enabled:
            return
        self._waiting[models.entity] = number
        self._waiting.move_to_end(models.entity)

    def on_time(self, number: int) -> None:
        """Open the cases of entities whose silence is certain, now that all windows before `number` have closed."""
        for entity, last in list(self._waiting.items()):
            if number - last <= 1:
                return
            self._look(entity, last, number)

    def forget(self, entity: Entity) -> None:
        """Wait no longer for an entity that is no longer followed."""
        self._waiting.pop(entity, None)

    def snapshot(self) -> list[tuple[Entity, int]]:
        """Give whose silence is waited for, in their order: the whole before its parts."""
        return list(self._waiting.items())

    def restore(self, entities: list[tuple[Entity, int]]) -> None:
        """Take up what `snapshot` gave."""
        self._waiting = OrderedDict(entities)

    def _look(self, entity: Entity, last: int, number: int) -> None:
        models = self._registry.get(entity)
        needed = self._needed(models, number) if models else math.inf
        if models is None or needed == math.inf:
            del self._waiting[entity]
        elif number - last - 1 >= needed and not self._with_the_whole(entity, last):
            self._tell(models, last, number, needed)

    def _needed(self, models: Models, number: int) -> float:
        """Give after how many windows silence is certain: by requests and gaps, or by sessions that do not begin."""
        rate, now = models.horizons.rate(), self._rate(models, number)
        share = now / rate if rate else 0.0
        return models.silence.certain_after(now, models.surge.missed * share)

    def _with_the_whole(self, entity: Entity, last: int) -> bool:
        """Tell whether all of the tenant fell silent together, and is still waited for."""
        return entity != TENANT and self._waiting.get(TENANT, last + 1) <= last

    def _rate(self, models: Models, number: int) -> float:
        rate = models.horizons.rate()
        usual = models.season.expected(number * self._size) if models.season else None
        # Of what makes no requests it is not known what an hour usually has.
        return min(rate, usual * self._size / 3600) if usual else rate

    def _tell(self, models: Models, last: int, number: int, needed: float) -> None:
        entity, rate = models.entity, self._rate(models, number)
        windows = number - last - 1
        missing = rate * windows
        reading = Reading(
            observed=0.0,
            expected=round(missing, 6),
            score=windows / (windows + needed),
            reason=f"nothing for {windows * self._size:,.0f} s, where about {missing:,.0f} requests or calls are usual",
        )
        series = self._book.series(entity, "silence")
        found = Standing(series, "silence", entity, "silence", scope_of(entity), number * self._size)
        if self._book.open(found, reading):
            del self._waiting[entity]
