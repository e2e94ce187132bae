"""An entity's key is readable, and no other entity's."""

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.events.usage import UsageEvent
from streamer.windows.entity import TENANT, Entity, entities_of, quote
from tests.streamer.samples import event

# Few letters, so that keys that could be mixed up are met often.
NAMES = st.text(alphabet="ab/=%25F", max_size=5) | st.sampled_from(["use_case", "a/use_case=b", "agent=x"])
FULL = NAMES.filter(bool)
NAMED: st.SearchStrategy[UsageEvent] = st.builds(
    lambda tenant, **fields: event(tenant=tenant, **fields),
    FULL,
    use_case=NAMES,
    agent=NAMES,
    model=NAMES,
    session=NAMES,
)
LEVELS = {"use_case": "use_case", "agent": "agent", "model": "model", "session": "session"}


def unquoted(name: str) -> str:
    return name.replace("%3D", "=").replace("%2F", "/").replace("%25", "%")


def read(key: str) -> tuple[str, Entity]:
    """The tenant and the entity that a key spells: the last part tells the level."""
    parts = [(name, unquoted(value)) for name, _, value in (part.partition("=") for part in key.split("/"))]
    fields = dict(parts[1:])
    level = parts[-1][0]
    return parts[0][1], Entity(level, **fields)


@settings(max_examples=120, deadline=None)
@given(st.text())
def test_a_quoted_name_separates_nothing_and_can_be_read_again(name: str) -> None:
    assert not set(quote(name)) & set("/=")
    assert unquoted(quote(name)) == name


@settings(max_examples=120, deadline=None)
@given(NAMED)
def test_a_key_can_be_read_again(usage: UsageEvent) -> None:
    for entity in entities_of(usage):
        assert read(entity.key(usage.tenant)) == (usage.tenant, entity)


@settings(max_examples=120, deadline=None)
@given(st.lists(NAMED, min_size=2, max_size=6))
def test_two_entities_never_share_a_key(events: list[UsageEvent]) -> None:
    named = {(usage.tenant, entity) for usage in events for entity in entities_of(usage)}
    assert len({entity.key(tenant) for tenant, entity in named}) == len(named)


@settings(max_examples=100, deadline=None)
@given(NAMED)
def test_an_event_counts_once_for_each_level_that_it_names(usage: UsageEvent) -> None:
    entities = entities_of(usage)
    named = [level for level, field in LEVELS.items() if getattr(usage, field)]
    assert entities[0] == TENANT
    assert [entity.level for entity in entities[1:]] == named


def test_sessions_of_two_agents_are_two_sessions() -> None:
    one, other = (entities_of(event(agent=agent, session="s"))[-1] for agent in ("a", "b"))
    assert one.key("acme") != other.key("acme")
