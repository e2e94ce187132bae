"""Tool calls inside a model's answer, in the shapes of the three big APIs; of the arguments only a hash is kept."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from streamer.events.formats.values import decoded, listed, mapping, text
from streamer.events.hashing import ArgumentHash


class Call(NamedTuple):
    """A tool that a model asked for."""

    name: str
    arguments: Any


def calls_of(answer: Any) -> list[Call]:
    """Find the calls in an answer of Chat Completions, the Responses API, or Anthropic's Messages."""
    answer = mapping(answer)
    return [*_of_choices(answer), *_of_output(answer), *_of_content(answer.get("content"))]


def work_of(calls: list[Call], argument_hash: ArgumentHash) -> dict[str, Any]:
    """Give the fields that calls fill: how many, the first one's tool, and one hash for all arguments.

    A single call's hash is that of its arguments alone, so that it equals the hash of the tool's own event.
    """
    if not calls:
        return {}
    several = [{"name": call.name, "arguments": _decoded(call.arguments)} for call in calls]
    hashed = argument_hash(calls[0].arguments if len(calls) == 1 else several)
    return {"tool_calls": len(calls), "tool": calls[0].name, "tool_args_hash": hashed}


def _of_choices(answer: Mapping[str, Any]) -> Iterator[Call]:
    for choice in listed(answer.get("choices")):
        message = mapping(mapping(choice).get("message"))
        for call in listed(message.get("tool_calls")):
            yield from _function(mapping(call).get("function"))
        yield from _function(message.get("function_call"))
        yield from _of_content(message.get("content"))


def _function(value: Any) -> Iterator[Call]:
    if function := mapping(value):
        yield Call(text(function.get("name")), function.get("arguments"))


def _of_output(answer: Mapping[str, Any]) -> Iterator[Call]:
    """The Responses API lists calls beside its messages: functions, and tools of the provider's own."""
    for entry in map(mapping, listed(answer.get("output"))):
        kind = text(entry.get("type"))
        if kind.endswith("_call"):
            arguments = next(
                (entry[name] for name in ("arguments", "input", "action", "queries") if name in entry), None
            )
            yield Call(text(entry.get("name")) or kind.removesuffix("_call"), arguments)


def _of_content(content: Any) -> Iterator[Call]:
    """Anthropic's Messages hold calls as blocks of the answer's content."""
    for block in map(mapping, listed(content)):
        if text(block.get("type")).endswith("tool_use"):
            yield Call(text(block.get("name")), block.get("input"))


def _decoded(arguments: Any) -> Any:
    if not isinstance(arguments, str):
        return arguments
    value = decoded(arguments)
    return arguments if value is None else value
