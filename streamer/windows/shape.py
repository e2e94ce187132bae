"""What the sessions of a closed window are like: how large their requests, how dear their tokens."""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from streamer.pricing.money import FEMTODOLLARS
from streamer.windows.totals import Totals


class Shape(NamedTuple):
    """One session's requests in a window, or those of no session (`""`).

    `size` is the logarithm of the tokens a request, `price` that of the dollars a token, None where nothing was paid.
    """

    session: str
    requests: int
    size: float
    price: float | None


def shapes_of(sessions: Mapping[str, Totals]) -> Iterator[Shape]:
    """Give the shapes of the sessions that had requests with tokens."""
    for name, totals in sessions.items():
        tokens, requests = totals.input_tokens + totals.output_tokens, totals.judged("requests")
        if tokens > 0 and requests > 0:
            usd = totals.usd_by_kind.get("llm", 0)
            price = math.log(usd / FEMTODOLLARS / tokens) if usd > 0 else None
            yield Shape(name, requests, math.log(tokens / requests), price)
