"""How the parts of a tenant lie to each other."""

import msgspec

from streamer.records import Scope
from streamer.windows.entity import Entity


def related(one: Scope, other: Scope) -> bool:
    """Tell whether one scope is part of the other.

    >>> related(Scope("support"), Scope("support", "triage")), related(Scope("support"), Scope("search"))
    (True, False)
    """
    pairs = ((one.use_case, other.use_case), (one.agent, other.agent), (one.model, other.model))
    return all(not a or not b or a == b for a, b in pairs)


def contains(whole: Scope, part: Scope) -> bool:
    """Tell whether one scope is part of another, or the same.

    >>> contains(Scope("support"), Scope("support", "triage")), contains(Scope("support", "triage"), Scope("support"))
    (True, False)
    """
    one, other = msgspec.structs.astuple(whole), msgspec.structs.astuple(part)
    return all(not a or a == b for a, b in zip(one, other, strict=True))


def common(one: Scope, other: Scope) -> Scope:
    """Give the smallest scope that holds both.

    >>> common(Scope("support", "triage"), Scope("support", "solver"))
    Scope(use_case='support', agent='', model='', session='', tool='')
    """
    if one.use_case != other.use_case:
        return Scope()
    return Scope(one.use_case, one.agent if one.agent == other.agent else "")


def scope_of(entity: Entity) -> Scope:
    """Give the scope that an entity stands for."""
    return Scope(entity.use_case, entity.agent, entity.model)
