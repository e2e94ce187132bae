"""The live page: where it listens, whom it lets in, and how much it remembers."""

from ipaddress import ip_address, ip_network
from typing import Annotated
from urllib.parse import quote

from pydantic import AnyHttpUrl, Field, ValidationInfo, field_validator

from streamer.config.base import Positive, Section

_HEX_SHA256 = r"^([0-9a-f]{64})?$"


class PersonConfig(Section):
    """Who may look at the page, and of whom; an operator may also act."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    token_sha256: Annotated[str, Field(pattern=_HEX_SHA256)] = ""
    tenants: tuple[str, ...] = ("*",)
    operator: bool = False


class PageConfig(Section):
    """The live page."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8070
    public_url: str = ""
    hosts: tuple[str, ...] = ()
    proxy_header: str = ""
    proxy_from: tuple[str, ...] = ("127.0.0.1", "::1")
    session_seconds: Positive = 43_200.0
    history_seconds: Annotated[float, Field(ge=60)] = 3600.0
    rate_seconds: Positive = 60.0
    max_series: Annotated[int, Field(ge=10)] = 20_000
    people: tuple[PersonConfig, ...] = ()
    open: bool = False

    def link_to(self, incident: str) -> str:
        """Give the address of an incident's page, for messages; "" where nobody knows what people call the page.

        >>> PageConfig(public_url="https://tide.example.org/").link_to("4f2a")
        'https://tide.example.org/incidents/4f2a'
        """
        return f"{self.public_url}/incidents/{quote(incident, safe='')}" if self.public_url else ""

    @field_validator("public_url")
    @classmethod
    def _public_url_is_one(cls, url: str) -> str:
        if url:
            AnyHttpUrl(url)
        return url.rstrip("/")

    @field_validator("proxy_from")
    @classmethod
    def _proxies_are_networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            ip_network(proxy)
        return proxies

    @field_validator("people")
    @classmethod
    def _people_are_told_apart(cls, people: tuple[PersonConfig, ...]) -> tuple[PersonConfig, ...]:
        for what in ("name", "token_sha256"):
            given = [getattr(person, what) for person in people if getattr(person, what)]
            if len(given) != len(set(given)):
                raise ValueError(f"two people have the same {what}")
        return people

    @field_validator("open")
    @classmethod
    def _somebody_asks_who_comes(cls, is_open: bool, others: ValidationInfo) -> bool:
        people, host = others.data.get("people", ()), others.data.get("host", "127.0.0.1")
        if is_open and people:
            raise ValueError("the page cannot be open to everybody and to the people in `people` only: choose one")
        if not is_open and not people and not _is_loopback(host):
            raise ValueError(
                f"the page would listen on {host} and let everybody act: name `people`,"
                " or set `open` if a wall before it lets in nobody else"
            )
        return is_open


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
