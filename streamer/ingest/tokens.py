"""Bearer tokens: who sends, and for which tenants.

A token is `tidegate_<id>_<secret>`. The secret has 256 random bits, so its SHA-256 says nothing of it and no slow hash
is needed: those are for passwords, which can be guessed. The id finds the hash to compare with, in constant time.
"""

import secrets
from collections.abc import Iterable
from hmac import compare_digest
from typing import NamedTuple

from streamer.config import TokenConfig
from streamer.web.tokens import hashed

ALL = "*"
_PREFIX = "tidegate"
_SECRET_BYTES = 32


class Grant(NamedTuple):
    """What the holder of a token may do: write for these tenants, None for all.

    `owner` is the only one of them, whose events need not name it; "" where there are more.
    """

    tenants: frozenset[str] | None
    owner: str = ""

    def allows(self, tenant: str) -> bool:
        """Tell whether events of the tenant may be sent."""
        return self.tenants is None or tenant in self.tenants


#: Whoever comes where no tokens are configured.
ANYBODY = Grant(None)


class Tokens:
    """The tokens of the configuration; without any, everybody may send everything."""

    def __init__(self, tokens: Iterable[TokenConfig]) -> None:
        self._known = {token.id: (token.sha256, _grant(token.tenants)) for token in tokens}

    def grant(self, authorization: str) -> Grant | None:
        """Find what the value of an Authorization header grants; None for nothing."""
        if not self._known:
            return ANYBODY
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        # An unknown id is compared as well: how long it takes is to say nothing.
        wanted, grant = self._known.get(_id(token), ("", None))
        matches = compare_digest(hashed(token), wanted)
        return grant if matches and scheme.lower() == "bearer" else None


def new(tenants: Iterable[str]) -> tuple[str, TokenConfig]:
    """Make a token; gives it, and what the configuration keeps of it."""
    number = secrets.token_hex(4)
    token = f"{_PREFIX}_{number}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    return token, TokenConfig(id=number, sha256=hashed(token), tenants=tuple(tenants))


def _grant(tenants: tuple[str, ...]) -> Grant:
    if ALL in tenants:
        return ANYBODY
    return Grant(frozenset(tenants), tenants[0] if len(tenants) == 1 else "")


def _id(token: str) -> str:
    prefix, _, rest = token.partition("_")
    return rest.partition("_")[0] if prefix == _PREFIX else ""
