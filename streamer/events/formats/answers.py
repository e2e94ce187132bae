"""Usage as a provider's own answer tells it: of Chat Completions, of the Responses API, or of Anthropic's Messages.

Input tokens include the cached ones at OpenAI, and leave them out at Anthropic, whose names for these show it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from streamer.events.formats.values import first

_TOLD = {
    "input_tokens": ("prompt_tokens", "input_tokens", "promptTokens", "inputTokens"),
    "output_tokens": ("completion_tokens", "output_tokens", "completionTokens", "outputTokens"),
    "cache_read_tokens": (
        *("prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens", "cache_read_input_tokens"),
    ),
    "cache_write_tokens": (
        *("prompt_tokens_details.cache_write_tokens", "input_tokens_details.cache_write_tokens"),
        "cache_creation_input_tokens",
    ),
    "reasoning_tokens": ("completion_tokens_details.reasoning_tokens", "output_tokens_details.reasoning_tokens"),
    "total_tokens": ("total_tokens", "totalTokens"),
}
_CACHED = ("cache_read_input_tokens", "cache_creation_input_tokens")
_INPUT = ("input_tokens", "cache_read_tokens", "cache_write_tokens")


def counts_of(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Give the counts that are there, by their canonical names and as they stand, and the total."""
    given = {name: first([usage], names) for name, names in _TOLD.items()}
    told = {name: value for name, value in given.items() if value is not None}
    # A gateway that tells Anthropic's usage with OpenAI's names has made the prompt whole.
    if "input_tokens" in usage and "prompt_tokens" not in usage and any(name in usage for name in _CACHED):
        told["input_tokens"] = summed([told[name] for name in _INPUT if name in told])
    return told


def summed(values: Sequence[Any]) -> Any:
    """Add up counts; gives one that is none as it stands, for whoever reads it to say so."""
    strange = [value for value in values if value.__class__ not in (int, float)]
    return strange[0] if strange else sum(values)
