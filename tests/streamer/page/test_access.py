"""Who is let in: by tokens, sessions and a trusted proxy, and nobody by anything else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from streamer.config import PageConfig
from streamer.page.access import Access, Request, new_token, proves
from streamer.web.tokens import hashed

TOKEN = new_token()
ANN = {"name": "ann", "token_sha256": hashed(TOKEN), "tenants": ("acme",), "operator": True}
KEY = b"k" * 32


def access(**page: Any) -> Access:
    return Access(PageConfig(**page), KEY)


def request(peer: str = "127.0.0.1", session: str = "", **headers: str) -> Request:
    return Request(peer, {name.replace("_", "-"): value for name, value in headers.items()}, session)


def name_of(known: Access, asked: Request, now: float = 0.0) -> str:
    who = known.who(asked, now)
    return who.sight.name if who else ""


def test_without_people_whoever_is_on_this_machine_is_an_operator() -> None:
    who = access().who(request(), 0.0)
    assert who
    assert (who.sight.name, who.sight.operator, who.sight.everything) == ("local", True, True)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "tidegate.example.org"])  # noqa: S104
def test_without_people_it_listens_on_loopback_only(host: str) -> None:
    with pytest.raises(ValidationError, match="let everybody act"):
        PageConfig(host=host)
    assert PageConfig(host=host, open=True)
    assert PageConfig(host=host, people=(ANN,))


def test_a_token_tells_whose_it_is() -> None:
    known = access(people=(ANN,))
    assert name_of(known, request(Authorization=f"Bearer {TOKEN}")) == "ann"
    assert name_of(known, request()) == ""


@given(st.text(max_size=80))
def test_no_other_token_is_good(token: str) -> None:
    known = access(people=(ANN, {"name": "bob"}))
    assert name_of(known, request(Authorization=f"Bearer {token}")) == ""
    assert not known.sign_in(token, "s", 0.0)


def test_a_session_lasts_as_long_as_it_may() -> None:
    known = access(people=(ANN,), session_seconds=60)
    assert known.sign_in(TOKEN, "s", now=0.0)
    asked = request(session="s")
    assert [name_of(known, asked, now) for now in (0.0, 59.0, 60.0)] == ["ann", "ann", ""]
    known.sign_out("s")
    assert name_of(known, asked, 1.0) == ""


PROXIED = {"proxy_header": "X-User", "proxy_from": ("10.0.0.0/24",)}


def test_the_proxy_is_believed_and_nobody_else_who_sends_its_header() -> None:
    known = access(people=(ANN,), **PROXIED)
    assert name_of(known, request("10.0.0.7", X_User="ann")) == "ann"
    assert name_of(known, request("10.0.1.7", X_User="ann")) == ""
    assert name_of(known, request("nonsense", X_User="ann")) == ""
    assert name_of(access(people=(ANN,)), request(X_User="ann")) == ""


def test_whom_only_the_proxy_knows_gets_what_everybody_gets() -> None:
    known = access(people=(ANN, {"name": "*", "tenants": ("globex",)}), **PROXIED)
    who = known.who(request("10.0.0.7", X_User="eve"), 0.0)
    assert who
    assert (who.sight.name, who.sight.tenants, who.sight.operator) == ("eve", ("globex",), False)
    assert name_of(known, request("10.0.0.7", X_User="*")) == ""
    assert name_of(access(people=(ANN,), **PROXIED), request("10.0.0.7", X_User="eve")) == ""


# How a server hands on bytes of a header that are no UTF-8, here Latin-1's.
LATIN = b"J\xf6rg".decode("utf-8", "surrogateescape")


def test_a_proxys_header_in_another_encoding_names_nobody_falsely_and_breaks_nothing() -> None:
    known = access(people=({"name": "*"},), **PROXIED)
    assert name_of(known, request("10.0.0.7", X_User=LATIN)) == "J\ufffdrg"


def test_a_cookie_and_a_proof_of_any_bytes_break_nothing() -> None:
    known = access(people=(ANN,))
    who = known.who(request(session=LATIN, Authorization=f"Bearer {TOKEN}"), 0.0)
    assert who
    assert not proves(who, LATIN)


def test_a_proof_is_good_for_one_person_and_one_session() -> None:
    known = access(people=(ANN,))
    known.sign_in(TOKEN, "s", 0.0)
    known.sign_in(TOKEN, "t", 0.0)
    one, other = known.who(request(session="s"), 0.0), known.who(request(session="t"), 0.0)
    assert one
    assert other
    assert proves(one, one.csrf)
    assert not proves(one, other.csrf)
    assert not proves(one, "")
    assert not proves(one, "\N{SNOWMAN}")


@pytest.mark.parametrize("host", ["localhost:8070", "127.0.0.1:1", "[::1]:8070", "tide.example.org", "spend:80"])
def test_it_answers_to_its_own_names(host: str) -> None:
    assert access(public_url="https://tide.example.org/", hosts=("spend",)).is_ours(host)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[", "tide.example.org.evil.example"])
def test_it_answers_to_no_other(host: str) -> None:
    assert not access(public_url="https://tide.example.org/").is_ours(host)


def test_two_people_cannot_share_a_token() -> None:
    with pytest.raises(ValidationError, match="same token_sha256"):
        PageConfig(people=(ANN, {**ANN, "name": "bob"}))


def test_what_is_no_text_is_no_token_and_no_error() -> None:
    assert len(hashed("tgp_\udcff")) == 64
    assert hashed("tgp_\udcff") != hashed("tgp_")
