"""The formats that gateways and clouds send, each a module; adding one is a module and its line in this list.

What a record's headers tell is for `streamer.events.reading`; the canonical format is `streamer.events.canonical`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from streamer.events.formats import anthropic, bedrock, claude_code, cloudevents, focus, litellm, openai, otel
from streamer.events.formats.base import Format, Unmappable
from streamer.events.rejected import Rejected

# The first that recognises an item has it.
FORMATS: tuple[Format, ...] = (
    cloudevents.FORMAT,
    litellm.FORMAT,
    otel.FORMAT,
    bedrock.FORMAT,
    focus.FORMAT,
    openai.FORMAT,
    claude_code.FORMAT,
    anthropic.FORMAT,
)


def format_of(item: Mapping[str, Any]) -> Format | None:
    """Find the format of a decoded JSON object; None where no foreign format has its shape."""
    return next((known for known in FORMATS if known.recognises(item)), None)


def parts_of(known: Format, item: Mapping[str, Any]) -> Sequence[Any] | Rejected:
    """Give what becomes events in an item of a known format; a rejection where it cannot be taken apart."""
    try:
        return known.parts(item)
    except Unmappable as why:
        return Rejected(why.reason, str(why))
    except Exception as error:
        return Rejected("wrong_type", f"the envelope is not of its format's shape ({type(error).__name__})")
