"""Usage that senders put as JSON into one attribute: LangSmith's details of tokens, and Langfuse's of an observation.

Langfuse's are disjoint: what has "input" in its name is input, whatever else it is called; but where a provider's own
usage was handed on as it came, its names say what they say there.
"""

from collections.abc import Mapping
from typing import Any

from streamer.events.formats.answers import counts_of, summed
from streamer.events.formats.values import mapping

_DETAILS = ("gen_ai.usage.input_token_details", "gen_ai.usage.output_token_details")
_USAGE, _INPUT, _OUTPUT = "langfuse.observation.usage_details", "input", "output"
_OWN = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cache_read_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_creation.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "total_tokens": "gen_ai.usage.total_tokens",
}


def spread(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the attributes with those in JSON beside them; as they are where there are none."""
    found = {
        f"{name}.{inner}": value
        for name in _DETAILS
        if name in attributes
        for inner, value in mapping(attributes[name]).items()
    }
    if usage := mapping(attributes.get(_USAGE)):
        found |= _disjoint(usage) if _INPUT in usage or _OUTPUT in usage else _as_they_came(usage)
    return {**found, **attributes} if found else attributes


def _as_they_came(usage: Mapping[str, Any]) -> dict[str, Any]:
    return {_OWN[name]: value for name, value in counts_of(usage).items()}


def _disjoint(usage: Mapping[str, Any]) -> dict[str, Any]:
    cached = [name for name in usage if "cache" in name and _OUTPUT not in name]
    written = [name for name in cached if "creation" in name or "write" in name]
    parts = {
        "gen_ai.usage.input_tokens": [name for name in usage if _INPUT in name],
        "gen_ai.usage.output_tokens": [name for name in usage if _OUTPUT in name],
        "gen_ai.usage.cache_read.input_tokens": [name for name in cached if name not in written],
        "gen_ai.usage.cache_creation.input_tokens": written,
        "gen_ai.usage.reasoning.output_tokens": [name for name in usage if _OUTPUT in name and "reasoning" in name],
    }
    return {known: summed([usage[name] for name in names]) for known, names in parts.items()}
