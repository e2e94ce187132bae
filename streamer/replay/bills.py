"""The bills that are handed on whole: who used what each month, and who is to pay for it."""

from collections.abc import Iterable

from streamer.config import Config
from streamer.pricing.money import COST_KINDS, plain
from streamer.replay.facts import Facts
from streamer.replay.report.figures import Share, payer, shares, user
from streamer.replay.sheet import sheet

#: What the rows of the bills are named by.
SHOWBACK, CHARGEBACK = ("month", "tenant", "use_case"), ("month", "cost_centre", "team")
_AMOUNTS = (*(f"usd_{kind}" for kind in COST_KINDS), "usd")


def showback(facts: Facts) -> bytes:
    """Write what each use case used, by month, as CSV."""
    return _bill(SHOWBACK, shares(facts, user))


def chargeback(config: Config, facts: Facts) -> bytes:
    """Write who is to pay, by month, as CSV."""
    return _bill(CHARGEBACK, shares(facts, payer(config)))


def _bill(heads: tuple[str, ...], found: Iterable[Share]) -> bytes:
    rows = sorted(found, key=lambda share: (share.names[0], -share.usd, share.names))
    return sheet((*heads, *_AMOUNTS), ((*row.names, *map(plain, (*row.by_kind, row.usd))) for row in rows))
