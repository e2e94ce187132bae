"""Who is asking: by a token, by a session that a token opened, or by the word of a trusted reverse proxy."""

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest, new
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

import msgspec

from streamer.config import PageConfig, PersonConfig
from streamer.page.sight import Sight
from streamer.web.tokens import hashed

COOKIE = "tidegate_session"
_MOST_SESSIONS = 10_000
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_EVERYBODY = "*"


class Request(msgspec.Struct, frozen=True):
    """What of a request tells who asks."""

    peer: str
    headers: Mapping[str, str]
    session: str = ""


class Who(msgspec.Struct, frozen=True):
    """Who asks, and the proof of theirs that actions have to carry: a page of elsewhere cannot read it."""

    sight: Sight
    csrf: str


class Access:
    """Knows people by their tokens' hashes, and sessions in memory. Pure: time and randomness come from the caller.

    >>> access = Access(PageConfig(), key=b"k")
    >>> access.who(Request("127.0.0.1", {}), now=0.0).sight
    Sight(name='local', tenants=('*',), operator=True)
    """

    def __init__(self, page: PageConfig, key: bytes) -> None:
        self._page, self._key = page, key
        self._by_name = {person.name: person for person in page.people}
        self._by_hash = {person.token_sha256: person for person in page.people if person.token_sha256}
        self._networks = [ip_network(address) for address in page.proxy_from]
        self._sessions: OrderedDict[str, tuple[str, float]] = OrderedDict()
        #: Whether the session's cookie may go over encrypted lines only.
        self.secure = page.public_url.startswith("https:")
        self.hosts = {*_LOOPBACK, *page.hosts, urlsplit(page.public_url).hostname or "localhost"}

    def is_ours(self, host: str) -> bool:
        """Tell whether a Host header names this page: a foreign name may have been bent to lead here."""
        try:
            return (urlsplit(f"//{host}").hostname or "") in self.hosts
        except ValueError:
            return False

    def who(self, request: Request, now: float) -> Who | None:
        """Say who asks; None if nobody known."""
        if not self._page.people:
            return self._proven(Sight("local", operator=True), "open")
        person = self._by_token(request) or self._by_proxy(request) or self._by_session(request, now)
        if person is None:
            return None
        name = self._named(request) if person.name == _EVERYBODY else person.name
        sight = Sight(name, person.tenants, person.operator)
        return self._proven(sight, request.session or name)

    def sign_in(self, token: str, session: str, now: float) -> bool:
        """Open a session of this name for whom the token belongs to; False if to nobody."""
        person = self._by_hash.get(hashed(token))
        if person is None:
            return False
        self._sessions[hashed(session)] = person.name, now + self._page.session_seconds
        while len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return True

    def sign_out(self, session: str) -> None:
        """End a session."""
        self._sessions.pop(hashed(session), None)

    def _by_token(self, request: Request) -> PersonConfig | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return self._by_hash.get(hashed(token.strip())) if scheme.lower() == "bearer" and token else None

    def _by_proxy(self, request: Request) -> PersonConfig | None:
        name = self._named(request)
        return (self._by_name.get(name) or self._by_name.get(_EVERYBODY)) if name and name != _EVERYBODY else None

    def _named(self, request: Request) -> str:
        if not self._page.proxy_header or not self._is_proxy(request.peer):
            return ""
        given = request.headers.get(self._page.proxy_header, "")[:200]
        # Bytes that are no UTF-8 come as lone surrogates, which nothing could be written with.
        return given.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

    def _is_proxy(self, peer: str) -> bool:
        try:
            return any(ip_address(peer) in network for network in self._networks)
        except ValueError:
            return False

    def _by_session(self, request: Request, now: float) -> PersonConfig | None:
        name, until = self._sessions.get(hashed(request.session), ("", 0.0))
        return self._by_name.get(name) if now < until else None

    def _proven(self, sight: Sight, about: str) -> Who:
        proof = f"{sight.name}\x00{about}".encode("utf-8", "surrogateescape")
        return Who(sight, new(self._key, proof, sha256).hexdigest())


def proves(who: Who, csrf: str) -> bool:
    """Tell whether an action carries its author's proof."""
    return compare_digest(who.csrf.encode(), csrf.encode("utf-8", "surrogateescape"))


def new_token() -> str:
    """Make a token that nobody can guess."""
    return f"tgp_{secrets.token_urlsafe(32)}"
