"""One matching for all: only `*` stands for anything, every other sign for itself."""

from hypothesis import given
from hypothesis import strategies as st

from alerts.match import fits, matches
from alerts.throttle.rails import Rails
from streamer.config.trust import TrustConfig

NAMES = st.text(st.sampled_from("ab[]?!-. "), min_size=1, max_size=6)


@given(NAMES, NAMES)
def test_a_name_without_a_star_means_itself_alone(asked: str, name: str) -> None:
    same = asked == name
    assert fits(asked, name) == matches({"tenant": asked}, {"tenant": name}) == same
    assert Rails(critical=(asked,)).is_critical(name) == TrustConfig(people=(asked,)).trusts_person(name) == same


@given(NAMES, NAMES)
def test_a_star_stands_for_whatever_follows(begins: str, rest: str) -> None:
    assert fits(f"{begins}*", begins + rest)
    assert Rails(critical=(f"{begins}*",)).is_critical(begins + rest)
