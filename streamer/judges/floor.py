"""What is too little to wake anybody for."""

from decimal import Decimal

from streamer.config import DetectConfig
from streamer.judges.models import Registry
from streamer.windows.entity import TENANT

_HOUR = 3600.0
# Of what a small tenant usually spends in an hour, what is much.
_SHARE = Decimal("0.5")


class Floor:
    """The least that a cause costs above normal, in dollars an hour.

    For a tenant that spends little itself it is half of what it usually spends in an hour, but never next to nothing.
    """

    def __init__(self, config: DetectConfig, size: float, registry: Registry) -> None:
        self._most = Decimal(repr(config.least_usd_per_hour))
        self._least = Decimal(repr(min(config.small_usd_per_hour, config.least_usd_per_hour)))
        self._size, self._registry = size, registry

    def passes(self, usd_per_hour: Decimal) -> bool:
        """Tell whether that is enough to be told."""
        if usd_per_hour >= self._most:
            return True
        return usd_per_hour >= max(self._least, _SHARE * self._usual())

    def _usual(self) -> Decimal:
        """Give what the tenant usually spends in an hour; where that is not known, what is enough for any."""
        whole = self._registry.get(TENANT)
        usual = whole.surge.usual_cost * _HOUR / self._size if whole else 0.0
        return Decimal(repr(usual)) if usual else self._most / _SHARE
