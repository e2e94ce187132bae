"""What the sessions of a closed window are like: how large their requests, how dear their tokens."""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from streamer.pricing.money import FEMTODOLLARS
from streamer.windows.totals import Totals


class Shape(NamedTuple):
    """One session's requests in a window, or those of no session (`""`).

    `size` is the logarithm of the tokens a request, `price` that of the dollars a token, None where nothing was paid,
    `output` that of the tokens a request that came out, None where nothing did.
    """

    session: str
    requests: int
    size: float
    price: float | None
    output: float | None = None


def shapes_of(sessions: Mapping[str, Totals]) -> Iterator[Shape]:
    """Give the shapes of the sessions that had requests with tokens."""
    for name, totals in sessions.items():
        out, requests = totals.output_tokens, totals.judged("requests")
        tokens = totals.input_tokens + out
        if tokens > 0 and requests > 0:
            usd = totals.usd_by_kind.get("llm", 0)
            price = math.log(usd / FEMTODOLLARS / tokens) if usd > 0 else None
            output = math.log(out / requests) if out > 0 else None
            yield Shape(name, requests, math.log(tokens / requests), price, output)
