"""Whom usage is attributed to: the entities whose windows are kept."""

from typing import Literal, NamedTuple

from streamer.events.usage import UsageEvent

Level = Literal["tenant", "use_case", "agent", "model", "session"]


class Entity(NamedTuple):
    """One holder of totals within a tenant; the fields that its level does not name are empty."""

    level: Level
    use_case: str = ""
    agent: str = ""
    model: str = ""
    session: str = ""

    def key(self, tenant: str) -> str:
        """Spell the entity as one readable, unique key.

        >>> Entity("agent", "support", "triage").key("acme")
        'tenant=acme/use_case=support/agent=triage'
        """
        named = zip(self._fields[1:], self[1:], strict=True)
        return "/".join([f"tenant={quote(tenant)}", *(f"{name}={quote(value)}" for name, value in named if value)])


def quote(name: str) -> str:
    """Escape what separates the parts of a key.

    >>> quote("a/b=c%")
    'a%2Fb%3Dc%25'
    """
    return name.replace("%", "%25").replace("/", "%2F").replace("=", "%3D")


TENANT = Entity("tenant")


def entities_of(event: UsageEvent) -> tuple[Entity, ...]:
    """List the entities that an event counts for: its tenant always, the others where the event names them."""
    found = [TENANT]
    if event.use_case:
        found.append(Entity("use_case", event.use_case))
    if event.agent:
        found.append(Entity("agent", event.use_case, event.agent))
    if event.model:
        found.append(Entity("model", model=event.model))
    if event.session:
        found.append(Entity("session", event.use_case, event.agent, session=event.session))
    return tuple(found)
