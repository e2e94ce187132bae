"""Names that are each to be told once."""

import math


class News:
    """Remembers names, at most `most`, and gives each once.

    >>> news = News()
    >>> news.add("a"), news.add("a"), news.taken(), news.add("a"), news.taken()
    (None, None, ['a'], None, [])
    """

    def __init__(self, most: float = math.inf) -> None:
        self._most = most
        self._told: dict[str, bool] = {}

    def add(self, name: str) -> None:
        """Take in a name, new or not."""
        if name not in self._told and len(self._told) < self._most:
            self._told[name] = False

    def taken(self) -> list[str]:
        """Give the names that are new since the last call."""
        news = [name for name, told in self._told.items() if not told]
        self._told.update(dict.fromkeys(news, True))
        return news
