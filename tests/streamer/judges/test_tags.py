"""What is about a part of a tenant carries the tags that all of that part agree in."""

from hypothesis import given
from hypothesis import strategies as st

from streamer.judges import tags as module
from streamer.judges.tags import Tags
from streamer.records import Scope

names = st.sampled_from(["", "a", "b"])
events = st.lists(
    st.tuples(names, names, st.dictionaries(st.sampled_from(["team", "env", "run"]), st.sampled_from(["", "x", "y"])))
)


def made(told: list[tuple[str, str, dict[str, str]]]) -> Tags:
    found = Tags(["team", "env"])
    for event in told:
        found.note(*event)
    return found


def test_the_latest_event_of_an_agent_says_whose_it_is() -> None:
    found = made([("support", "triage", {"team": "blue"}), ("support", "triage", {"team": "red", "run": "7"})])
    assert found.of(Scope("support", "triage", session="s1")) == {"team": "red"}


def test_a_whole_carries_what_its_parts_agree_in() -> None:
    found = made([("support", "triage", {"team": "blue", "env": "prod"}), ("support", "writer", {"team": "blue"})])
    assert found.of(Scope("support")) == found.of(Scope()) == {"env": "prod", "team": "blue"}
    found.note("search", "", {"team": "red"})
    assert (found.of(Scope()), found.of(Scope("search"))) == ({"env": "prod"}, {"team": "red"})


@given(events)
def test_no_tag_is_invented_and_a_restart_changes_nothing(told: list[tuple[str, str, dict[str, str]]]) -> None:
    found, again = made(told), Tags(["team", "env"])
    for _, written in found.changes():
        again.restore(written)
    assert list(found.changes()) == []
    for use_case in ("", "a", "b"):
        for agent in ("", "a", "b"):
            tags = found.of(Scope(use_case, agent))
            assert tags == again.of(Scope(use_case, agent))
            said = {(name, value) for _, _, each in told for name, value in each.items()}
            assert set(tags.items()) <= said
            assert "run" not in tags
            assert "" not in tags.values()


def test_memory_has_a_bound() -> None:
    found = Tags(["team"])
    for number in range(module._MOST + 10):
        found.note("support", f"agent-{number}", {"team": "blue", "long": "x" * 300})
    assert len(found._of) == module._MOST
    found.note("support", "long", {"team": "x" * 300})
    assert "long" not in {agent for _, agent in found._of}
