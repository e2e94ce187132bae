"""Whom usage is attributed to: the entities whose windows are kept."""

from typing import Literal, NamedTuple

Level = Literal["tenant", "use_case", "agent", "model", "session"]
OTHER = "other"


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
        key = f"tenant={quote(tenant)}"
        if self.use_case:
            key += f"/use_case={quote(self.use_case)}"
        if self.agent:
            key += f"/agent={quote(self.agent)}"
        if self.model:
            key += f"/model={quote(self.model)}"
        return f"{key}/session={quote(self.session)}" if self.session else key


def quote(name: str) -> str:
    """Escape what separates the parts of a key.

    >>> quote("a/b=c%")
    'a%2Fb%3Dc%25'
    """
    return name.replace("%", "%25").replace("/", "%2F").replace("=", "%3D")


TENANT = Entity("tenant")


def entities_of(head: tuple[str, str, str]) -> tuple[Entity, ...]:
    """List the entities above a use case, agent and model: the tenant always, the others where they are named."""
    use_case, agent, model = head
    found = [TENANT]
    if use_case:
        found.append(Entity("use_case", use_case))
    if agent:
        found.append(Entity("agent", use_case, agent))
    if model:
        found.append(Entity("model", model=model))
    return tuple(found)
