"""The guard rails of throttling: how much may be in force, and on whom only a person may act."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from alerts.match import fits
from alerts.throttle.policy import Policy


class Rails:
    """At most `most` commands live; only people act on tenants that a pattern of `critical` matches; a switch for all.

    >>> rails = Rails(most=1, critical=("bank-*",))
    >>> rails.forbid(live=1), rails.is_critical("bank-1"), dict(rails.refused)
    (True, True, {'too_many': 1})
    """

    def __init__(self, *, most: int = 100, critical: Sequence[str] = (), enabled: bool = True) -> None:
        self._most, self._critical, self.enabled = most, tuple(critical), enabled
        #: Commands that were not issued, by why.
        self.refused: Counter[str] = Counter()

    def is_critical(self, tenant: str) -> bool:
        """Tell whether only a person may throttle a tenant."""
        return fits(self._critical, tenant)

    def guarded(self, policy: Policy, tenant: str) -> Policy:
        """Give the policy as it may act by itself: on a critical tenant it only suggests."""
        if policy.mode == "enforce" and self.is_critical(tenant):
            return msgspec.structs.replace(policy, mode="suggest")
        return policy

    def forbid(self, live: int) -> bool:
        """Tell whether a further command beside `live` others may not be issued, and count it if so."""
        why = "off" if not self.enabled else "too_many" if live >= self._most else ""
        if why:
            self.refused[why] += 1
        return bool(why)
