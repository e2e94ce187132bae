"""An alert takes the first route whose labels all match; the last route takes what is left."""

from hypothesis import given
from hypothesis import strategies as st

from alerts.alert import Label
from alerts.routes import Route, route_for

NAMES: list[Label] = ["tenant", "use_case", "agent", "kind", "severity"]
labels = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["a", "b", "c"]))
routes = st.lists(st.builds(Route, receiver=st.text(max_size=3), match=labels), max_size=5).map(
    lambda found: [*found, Route(receiver="everyone")]
)


def test_the_first_route_that_matches_is_taken() -> None:
    acme = Route(receiver="acme", match={"tenant": "acme"})
    loops = Route(receiver="loops", match={"kind": "loop"})
    rest = Route(receiver="rest")
    assert route_for([acme, loops, rest], {"tenant": "acme", "kind": "loop"}) is acme
    assert route_for([loops, acme, rest], {"tenant": "acme", "kind": "loop"}) is loops


def test_all_labels_asked_for_must_match() -> None:
    route = Route(receiver="acme", match={"tenant": "acme", "kind": "loop"})
    assert route.takes({"tenant": "acme", "kind": "loop", "agent": "triage"})
    assert not route.takes({"tenant": "acme", "kind": "burst"})
    assert not route.takes({"tenant": "acme"})


def test_the_last_route_takes_all_even_if_it_asks_for_more() -> None:
    last = Route(receiver="rest", match={"tenant": "nobody"})
    assert route_for([Route(receiver="acme", match={"tenant": "acme"}), last], {"tenant": "globex"}) is last


def test_a_group_holds_only_labels_that_are_there() -> None:
    route = Route(receiver="rest", group_by=("tenant", "agent"))
    assert route.group({"tenant": "acme", "kind": "burst"}) == {"tenant": "acme"}


@given(routes, labels)
def test_no_route_before_the_taken_one_matches(routes: list[Route], labels: dict[Label, str]) -> None:
    """Whatever the routes and labels are, some route is taken, and it is the first that matches."""
    taken = route_for(routes, labels)
    index = next(index for index, route in enumerate(routes) if route is taken)
    assert taken.takes(labels)
    assert not any(route.takes(labels) for route in routes[:index])
