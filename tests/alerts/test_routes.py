"""An alert goes down the tree of routes, to the first that takes it, or several; the last route takes what is left."""

from hypothesis import given
from hypothesis import strategies as st

from alerts.alert import Label
from alerts.hours import Hours
from alerts.routes import Route, RouteTree
from tests.alerts.build import NOW

NAMES: list[Label] = ["tenant", "use_case", "agent", "kind", "severity", "owner", "tag:team"]
labels = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["a", "b", "c"]))


def routes(below: st.SearchStrategy[tuple[Route, ...]]) -> st.SearchStrategy[tuple[Route, ...]]:
    one = st.builds(Route, receiver=st.sampled_from("xyz"), match=labels, go_on=st.booleans(), routes=below)
    return st.lists(one, max_size=3).map(tuple)


trees = routes(routes(st.just(()))).map(lambda found: (*found, Route(receiver="everyone")))


def receivers(tree: tuple[Route, ...], known: dict[Label, str]) -> list[str]:
    return [leaf.route.receiver for leaf in RouteTree(tree).leaves(known)]


def test_the_first_route_that_matches_is_taken() -> None:
    acme = Route(receiver="acme", match={"tenant": "acme"})
    loops = Route(receiver="loops", match={"kind": "loop"})
    rest = Route(receiver="rest")
    assert receivers((acme, loops, rest), {"tenant": "acme", "kind": "loop"}) == ["acme"]
    assert receivers((loops, acme, rest), {"tenant": "acme", "kind": "loop"}) == ["loops"]


def test_a_route_that_goes_on_lets_the_next_one_take_the_alert_too() -> None:
    pager = Route(receiver="pager", match={"severity": "critical"}, go_on=True)
    rest = Route(receiver="rest")
    assert receivers((pager, rest), {"severity": "critical"}) == ["pager", "rest"]
    assert receivers((pager, rest), {"severity": "warning"}) == ["rest"]


def test_below_a_route_the_narrower_ones_take_the_alert_and_it_the_rest() -> None:
    acme = Route(
        receiver="acme",
        match={"tenant": "acme"},
        routes=(
            Route(receiver="search", match={"use_case": "search"}),
            Route(receiver="loops", match={"kind": "loop"}),
        ),
    )
    tree = (acme, Route(receiver="rest"))
    assert receivers(tree, {"tenant": "acme", "use_case": "search", "kind": "loop"}) == ["search"]
    assert receivers(tree, {"tenant": "acme", "kind": "loop"}) == ["loops"]
    assert receivers(tree, {"tenant": "acme", "kind": "burst"}) == ["acme"]
    assert receivers(tree, {"tenant": "globex", "use_case": "search"}) == ["rest"]


def test_all_labels_asked_for_must_match_one_of_several_will_do_and_a_star_is_anything() -> None:
    route = Route(receiver="acme", match={"tenant": "acme-*", "kind": ("loop", "burst")})
    assert route.takes({"tenant": "acme-eu", "kind": "burst", "agent": "triage"})
    assert not route.takes({"tenant": "acme-eu", "kind": "drift"})
    assert not route.takes({"tenant": "acme", "kind": "loop"})
    assert not route.takes({"tenant": "acme-eu"})


def test_the_last_route_takes_all_even_if_it_asks_for_more() -> None:
    last = Route(receiver="rest", match={"tenant": "nobody"})
    assert receivers((Route(receiver="acme", match={"tenant": "acme"}), last), {"tenant": "globex"}) == ["rest"]


def test_a_group_holds_only_labels_that_are_there() -> None:
    route = Route(receiver="rest", group_by=("tenant", "agent"))
    assert route.group({"tenant": "acme", "kind": "burst"}) == {"tenant": "acme"}


def test_outside_its_hours_a_route_tells_only_what_is_severe() -> None:
    """NOW is a Sunday, ten o'clock in UTC."""
    office = Hours(name="office", days=(0, 1, 2, 3, 4), start=8 * 60, end=18 * 60)
    route = Route(receiver="rest", hours=(office,))
    assert not route.tells("warning", NOW)
    assert route.tells("critical", NOW)
    assert route.next_change(NOW) == NOW + (24 + 8 - 10) * 3600
    assert route.tells("warning", route.next_change(NOW))


def test_in_its_quiet_hours_a_route_tells_only_what_is_severe() -> None:
    route = Route(receiver="rest", quiet=(Hours(name="Sunday", days=(6,)),), always="warning")
    assert [route.tells(severity, NOW) for severity in ("info", "warning", "critical")] == [False, True, True]


@given(trees, labels)
def test_whatever_the_tree_somebody_is_told_and_each_route_on_the_way_matches(
    tree: tuple[Route, ...], known: dict[Label, str]
) -> None:
    found = RouteTree(tree)
    leaves = found.leaves(known)
    assert leaves
    assert len({leaf.path for leaf in leaves}) == len(leaves)
    for leaf in leaves:
        trail = found.trail(leaf.path)
        assert trail[-1] == leaf
        assert all(step.route.takes(known) for step in trail)
        assert not any(route.takes(known) for route in leaf.route.routes)
        assert found.at(leaf.path) == leaf.route


@given(trees, labels)
def test_no_route_beside_the_taken_one_and_before_it_matches_but_those_that_go_on(
    tree: tuple[Route, ...], known: dict[Label, str]
) -> None:
    for leaf in RouteTree(tree).leaves(known):
        beside = tree
        for index in map(int, leaf.path.split(".")):
            assert all(route.go_on for route in beside[:index] if route.takes(known))
            beside = beside[index].routes
