"""An entity's key is readable, and no other entity's."""

from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import Config
from streamer.events.usage import UsageEvent
from streamer.pipeline import Pipeline
from streamer.records import Rollup
from streamer.windows.entity import TENANT, Entity, Level, entities_of, quote
from tests.streamer.samples import NOW, event

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
NAMED_LEVELS = [level for level in get_args(Level) if level != "tenant"]


def unquoted(name: str) -> str:
    return name.replace("%3D", "=").replace("%2F", "/").replace("%25", "%")


def read(key: str) -> tuple[str, Entity]:
    """The tenant and the entity that a key spells: the last part tells the level."""
    parts = [(name, unquoted(value)) for name, _, value in (part.partition("=") for part in key.split("/"))]
    fields: dict[str, Any] = dict(parts[1:])
    level: Any = parts[-1][0]
    return parts[0][1], Entity(level, **fields)


def entities(usage: UsageEvent) -> list[Entity]:
    """Everything that an event counts for: what stands above sessions, and its session."""
    found = list(entities_of((usage.use_case, usage.agent, usage.model)))
    return [*found, Entity("session", usage.use_case, usage.agent, "", usage.session)] if usage.session else found


def rollups(*events: UsageEvent) -> list[Rollup]:
    """The rollups of some events, each of an id of its own."""
    pipeline = Pipeline(Config())
    pipeline.submit([event(n, **fields(usage)) for n, usage in enumerate(events)], NOW)
    return pipeline.flush().rollups


def fields(usage: UsageEvent) -> dict[str, Any]:
    return {name: getattr(usage, name) for name in ("tenant", *NAMED_LEVELS)}


@settings(max_examples=120, deadline=None)
@given(st.text())
def test_a_quoted_name_separates_nothing_and_can_be_read_again(name: str) -> None:
    assert not set(quote(name)) & set("/=")
    assert unquoted(quote(name)) == name


@settings(max_examples=120, deadline=None)
@given(NAMED)
def test_a_key_can_be_read_again(usage: UsageEvent) -> None:
    for entity in entities(usage):
        assert read(entity.key(usage.tenant)) == (usage.tenant, entity)


@settings(max_examples=120, deadline=None)
@given(st.lists(NAMED, min_size=2, max_size=6))
def test_two_entities_never_share_a_key(events: list[UsageEvent]) -> None:
    named = {(usage.tenant, entity) for usage in events for entity in entities(usage)}
    assert len({entity.key(tenant) for tenant, entity in named}) == len(named)


@settings(max_examples=100, deadline=None)
@given(NAMED)
def test_an_event_counts_once_for_each_level_that_it_names(usage: UsageEvent) -> None:
    assert entities(usage)[0] == TENANT
    assert [entity.level for entity in entities(usage)[1:]] == [
        level for level in NAMED_LEVELS if getattr(usage, level)
    ]


@settings(max_examples=100, deadline=None)
@given(st.lists(NAMED, max_size=6))
def test_every_entity_has_one_rollup_under_its_key_and_with_its_own_scope(events: list[UsageEvent]) -> None:
    named = {entity.key(usage.tenant): (usage.tenant, entity) for usage in events for entity in entities(usage)}
    found = rollups(*events)
    assert len(found) == len(named)
    for rollup in found:
        tenant, (level, *scope) = named[rollup.series]
        assert (rollup.tenant, rollup.level) == (tenant, level)
        assert [getattr(rollup.scope, name) for name in NAMED_LEVELS] == scope


def test_sessions_of_two_agents_are_two_sessions() -> None:
    series = {rollup.series for rollup in rollups(event(agent="a", session="s"), event(agent="b", session="s"))}
    assert {"tenant=acme/agent=a/session=s", "tenant=acme/agent=b/session=s"} <= series


def test_a_session_that_uses_two_models_is_one_session() -> None:
    found = rollups(event(model="m", session="s"), event(model="n", session="s"))
    assert [(rollup.series, rollup.events) for rollup in found if rollup.level == "session"] == [
        ("tenant=acme/session=s", 2)
    ]
