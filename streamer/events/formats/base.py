"""What a foreign format is to the decoder, and what it is given to map with."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from streamer.events.hashing import ArgumentHash
from streamer.events.rejected import Reason, Rejected
from streamer.events.skipped import Skipped

Item = Mapping[str, Any]
# Fields of a canonical event, still to be checked; or why there is none.
Outcome = dict[str, Any] | Rejected | Skipped


class Names(msgspec.Struct, frozen=True):
    """Where a format says who used what: names tried in order, dots lead into what is nested.

    `tier` says how a call was served, at which price: it becomes the tag `service_tier`. Of `tags` each name that is
    there becomes a tag; `name.*` takes all that is nested under it.

    >>> Names(tenant=("metadata.team",)).tenant
    ('metadata.team',)
    """

    tenant: tuple[str, ...] = ()
    use_case: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    cost: tuple[str, ...] = ()
    tier: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


Rate = Callable[[str, date], Decimal | None]


def no_rate(_: str, __: date) -> None:
    """Know no currency but dollars."""


class Context(msgspec.Struct, frozen=True):
    """What a format maps with: its names, the hash of tool arguments, dollars per unit of a currency on a day.

    `latest` is the last moment that may lie in the past. `told_elsewhere` names services, and hosts
    that are called, of whose calls of models another source tells; `remote_agents` names agents that run elsewhere, or
    the services or hosts that they are called by or at.
    """

    names: Names
    argument_hash: ArgumentHash
    latest: datetime
    rate: Rate = no_rate
    told_elsewhere: frozenset[str] = frozenset()
    remote_agents: frozenset[str] = frozenset()


class Unmappable(ValueError):
    """An item of a known format cannot become an event; the text never carries its values."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason: Reason = reason
        super().__init__(detail)


def itself(item: Item) -> Sequence[Any]:
    """Give the parts of an item that is one event."""
    return (item,)


def words_of(names: Names, *more: str) -> frozenset[str]:
    """Give the innermost of all `names`, and `more`: the fields of a format whose text is nobody's prompt or answer.

    >>> sorted(words_of(Names(tenant=("metadata.team", "tenant")), "id"))
    ['id', 'team', 'tenant']
    """
    given = (name for field in names.__struct_fields__ for name in getattr(names, field))
    return frozenset((*(name.rpartition(".")[2] for name in given), *more)) - {"*"}


class Format(msgspec.Struct, frozen=True):
    """One foreign format.

    An item is a decoded JSON object. `recognises` tells by its shape whether it is of this format; `parts` gives what
    becomes events in it, `outcomes` what becomes of these, one each and in their order. `kept` spells a part as JSON
    for a dead letter, which has of its texts only those of fields in `words`: in any other they may be anybody's.
    """

    name: str
    names: Names
    recognises: Callable[[Item], bool]
    outcomes: Callable[[Sequence[Any], Context], Iterator[Outcome]]
    words: frozenset[str]
    parts: Callable[[Item], Sequence[Any]] = itself
    kept: Callable[[Any], Any] = lambda part: part


def each(fields_of: Callable[[Any, Context], Outcome]) -> Callable[[Sequence[Any], Context], Iterator[Outcome]]:
    """Map the parts of an item one by one: what is wrong with one concerns no other."""

    def outcomes(parts: Sequence[Any], context: Context) -> Iterator[Outcome]:
        for part in parts:
            yield attempt(fields_of, part, context)

    return outcomes


def attempt(fields_of: Callable[[Any, Context], Outcome], part: Any, context: Context) -> Outcome:
    """Map one part; gives the rejection where it cannot be mapped."""
    try:
        return fields_of(part, context)
    except Unmappable as why:
        return Rejected(why.reason, str(why))
    except Exception as error:
        # Whatever the sender's structure broke: its values, which the text may hold, stay out.
        return Rejected("wrong_type", f"a field is not of the shape that its format gives it ({type(error).__name__})")
