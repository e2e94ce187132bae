"""Whom a person may see, and whether they may act."""

from collections.abc import Iterable

import msgspec

ALL = "*"


class Sight(msgspec.Struct, frozen=True):
    """One person's reach: `tenants` they see (`*`: all of them), and whether they are an operator.

    >>> Sight("ann", ("acme",)).sees("acme"), Sight("ann", ("acme",)).sees_all(["acme", "globex"])
    (True, False)
    """

    name: str
    tenants: tuple[str, ...] = (ALL,)
    operator: bool = False

    def sees(self, tenant: str) -> bool:
        """Tell whether a tenant may be shown."""
        return ALL in self.tenants or tenant in self.tenants

    def sees_all(self, tenants: Iterable[str]) -> bool:
        """Tell whether all of several tenants may be shown; what concerns nobody by name is for who sees everybody."""
        named = list(tenants)
        return all(map(self.sees, named)) if named else self.everything

    @property
    def everything(self) -> bool:
        """Whether all tenants may be shown."""
        return ALL in self.tenants
