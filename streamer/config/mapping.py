"""Where a format's records name tenant, use case and so on."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from streamer.config.base import Section
from streamer.events.formats import FORMATS
from streamer.events.formats.base import Names

_Name = Annotated[str, Field(min_length=1, max_length=256)]


class NamesConfig(Section):
    """Names to try in order, in place of the format's own list; what is left out stays as it is."""

    tenant: tuple[_Name, ...] | None = None
    use_case: tuple[_Name, ...] | None = None
    agent: tuple[_Name, ...] | None = None
    session: tuple[_Name, ...] | None = None
    user: tuple[_Name, ...] | None = None
    cost: tuple[_Name, ...] | None = None
    tier: tuple[_Name, ...] | None = None
    tags: tuple[_Name, ...] | None = None


def _known(mapping: Mapping[str, NamesConfig]) -> Mapping[str, NamesConfig]:
    known = [form.name for form in FORMATS]
    if strange := sorted(set(mapping) - set(known)):
        raise ValueError(f"{strange[0]} is no format; the formats are {', '.join(known)}")
    return mapping


MappingConfig = Annotated[dict[str, NamesConfig], AfterValidator(_known)]


def names_by_format(mapping: Mapping[str, NamesConfig]) -> dict[str, Names]:
    """Give the names of every format, with those of the configuration in place of its own."""
    return {
        form.name: Names(**_fields(form.names) | mapping.get(form.name, NamesConfig()).model_dump(exclude_none=True))
        for form in FORMATS
    }


def _fields(names: Names) -> dict[str, tuple[str, ...]]:
    return {field: getattr(names, field) for field in names.__struct_fields__}
