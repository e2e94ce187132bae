"""Equal tool arguments have equal hashes, however they are written; the hash tells nothing without the key."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.events.hashing import argument_hash

ARGUMENTS = st.dictionaries(st.text(max_size=5), st.integers(-(2**53), 2**53) | st.text(max_size=5), max_size=4)


@settings(max_examples=100, deadline=None)
@given(ARGUMENTS)
def test_order_spacing_and_encoding_make_no_difference(arguments: dict[str, Any]) -> None:
    digest = argument_hash("k")
    turned = dict(reversed(arguments.items()))
    written = [json.dumps(turned, indent=2), json.dumps(arguments).encode()]
    assert {digest(form) for form in (arguments, turned, *written)} == {digest(arguments)}
    assert len(digest(arguments)) == 32


@settings(max_examples=100, deadline=None)
@given(ARGUMENTS, ARGUMENTS)
def test_different_arguments_have_different_hashes(one: dict[str, Any], other: dict[str, Any]) -> None:
    digest = argument_hash("k")
    assert (digest(one) == digest(other)) == (one == other)


def test_another_key_gives_another_hash() -> None:
    assert argument_hash("a")({"q": 1}) != argument_hash("b")({"q": 1})


def test_text_that_is_no_json_is_hashed_as_text() -> None:
    digest = argument_hash("")
    assert digest("not json") == digest(b"not json") != digest("not json either")
    assert digest(b"\xff") == digest("\ufffd")
