"""Usage that senders put as JSON into one attribute: LangSmith's details of tokens, and Langfuse's of an observation.

Langfuse's are disjoint: what has "input" in its name is input, whatever else it is called; but where a provider's own
usage was handed on as it came, its names say what they say there.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from streamer.events.formats.values import first, mapping

_DETAILS = ("gen_ai.usage.input_token_details", "gen_ai.usage.output_token_details")
_USAGE, _INPUT, _OUTPUT = "langfuse.observation.usage_details", "input", "output"
_OWN = {
    "gen_ai.usage.input_tokens": ("prompt_tokens", "input_tokens", "promptTokens", "inputTokens"),
    "gen_ai.usage.output_tokens": ("completion_tokens", "output_tokens", "completionTokens", "outputTokens"),
    "gen_ai.usage.cache_read.input_tokens": (
        *("prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens", "cache_read_input_tokens"),
    ),
    "gen_ai.usage.cache_creation.input_tokens": (
        *("prompt_tokens_details.cache_write_tokens", "input_tokens_details.cache_write_tokens"),
        "cache_creation_input_tokens",
    ),
    "gen_ai.usage.reasoning.output_tokens": (
        *("completion_tokens_details.reasoning_tokens", "output_tokens_details.reasoning_tokens"),
    ),
    "gen_ai.usage.total_tokens": ("total_tokens", "totalTokens"),
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
    told = {known: first([usage], names) for known, names in _OWN.items()}
    return {known: value for known, value in told.items() if value is not None}


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
    return {known: _sum([usage[name] for name in names]) for known, names in parts.items()}


def _sum(values: Sequence[Any]) -> Any:
    """Add up counts; gives one that is none as it stands, for whoever reads it to say so."""
    strange = [value for value in values if value.__class__ not in (int, float)]
    return strange[0] if strange else sum(values)
