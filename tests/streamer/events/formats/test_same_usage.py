"""The usage of one answer, as a provider's API tells it, has the same tokens through whatever format it comes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.events.decoder import Decoder
from streamer.events.usage import UsageEvent
from tests.streamer.events.formats.test_otel_senders import TOKENS, spans
from tests.streamer.samples import NOW

Usage = dict[str, Any]
Through = Callable[[Usage], UsageEvent]


class Spent(NamedTuple):
    """The tokens of one answer, none of them in two of the counts."""

    fresh: int
    read: int
    written: int
    answer: int
    reasoning: int

    @property
    def canonical(self) -> tuple[int, ...]:
        """The counts of an event, in the order of TOKENS."""
        prompt, output = self.fresh + self.read + self.written, self.answer + self.reasoning
        return prompt, output, self.read, self.written, self.reasoning


COUNT = st.integers(1, 10**9)
SPENT = st.builds(Spent, COUNT, COUNT, COUNT, COUNT, COUNT)


def decoded(record: bytes) -> UsageEvent:
    (found,) = Decoder(default_tenant="acme").decode(record, NOW)
    assert isinstance(found, UsageEvent), found
    return found


def as_span(usage: Usage) -> UsageEvent:
    """OpenLLMetry's, with the total."""
    read, reasoning = usage["prompt_tokens_details"], usage["completion_tokens_details"]["reasoning_tokens"]
    own = {
        **{"gen_ai.operation.name": "chat", "gen_ai.request.model": "grok-4"},
        **{"gen_ai.usage.input_tokens": usage["prompt_tokens"], "llm.usage.total_tokens": usage["total_tokens"]},
        **{"gen_ai.usage.output_tokens": usage["completion_tokens"], "gen_ai.usage.reasoning_tokens": reasoning},
        **{"gen_ai.usage.cache_read_input_tokens": read["cached_tokens"]},
        **{"gen_ai.usage.cache_creation_input_tokens": read["cache_write_tokens"]},
    }
    return decoded(spans(own))


def as_langfuse_span(usage: Usage) -> UsageEvent:
    details = orjson.dumps(usage).decode()
    own = {"langfuse.observation.type": "generation", "langfuse.observation.usage_details": details}
    return decoded(spans({**own, "langfuse.observation.model.name": "grok-4"}))


def as_litellm(usage: Usage) -> UsageEvent:
    counts = {name: usage[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
    call = {"call_type": "acompletion", "litellm_call_id": "1", "model": "xai/grok-4", "endTime": NOW}
    return decoded(orjson.dumps({**call, **counts, "metadata": {"usage_object": usage}}))


def as_cloudevent(usage: Usage) -> UsageEvent:
    about = {"specversion": "1.0", "type": "llm.call", "source": "s", "id": "1", "time": "2026-11-20T00:00:00Z"}
    return decoded(orjson.dumps({**about, "data": {"model": "grok-4", "usage": usage}}))


def counts_of(event: UsageEvent) -> tuple[int, ...]:
    return tuple(getattr(event, name) for name in TOKENS)


FORMATS = pytest.mark.parametrize("through", [as_span, as_langfuse_span, as_litellm, as_cloudevent])


def usage_of(spent: Spent, *, beside: bool = False) -> Usage:
    """Usage as OpenAI has it; where reasoning is `beside` the answer, as xAI has it."""
    prompt, output, read, written, reasoning = spent.canonical
    told = spent.answer if beside else output
    return {
        **{"prompt_tokens": prompt, "completion_tokens": told, "total_tokens": prompt + output},
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


@FORMATS
@given(SPENT, st.booleans())
def test_every_token_counts_once(through: Through, spent: Spent, beside: bool) -> None:
    assert counts_of(through(usage_of(spent, beside=beside))) == spent.canonical


@pytest.mark.parametrize("through", [as_langfuse_span, as_litellm, as_cloudevent])
def test_the_responses_api_calls_them_by_other_names(through: Through) -> None:
    usage = usage_of(spent := Spent(10, 20, 30, 5, 7))
    renamed = {"prompt_tokens": "input_tokens", "completion_tokens": "output_tokens"}
    details = {f"{name}_details": f"{known}_details" for name, known in renamed.items()}
    given = {(renamed | details).get(name, name): value for name, value in usage.items()}
    if through is as_litellm:  # whose own counts are called as ever
        given |= {name: usage[name] for name in renamed}
    assert counts_of(through(given)) == spent.canonical


def test_without_a_total_more_reasoning_than_output_shows_that_it_is_beside() -> None:
    counts = {"gen_ai.usage.input_tokens": 32, "gen_ai.usage.output_tokens": 9}
    adk = {"gen_ai.operation.name": "generate_content", "gen_ai.request.model": "gemini-2.5-pro", **counts}
    event = decoded(spans({**adk, "gen_ai.usage.experimental.reasoning_tokens": 94}))
    assert (event.output_tokens, event.reasoning_tokens) == (103, 94)
    event = decoded(spans({**adk, "gen_ai.usage.experimental.reasoning_tokens": 9}))
    assert (event.output_tokens, event.reasoning_tokens) == (9, 9)


def test_a_total_may_count_what_nobody_else_tells_of() -> None:
    """Gemini's has the prompts of its own tools, too: 50 tokens here."""
    counts = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20, "gen_ai.usage.total_tokens": 250}
    asked = {"gen_ai.operation.name": "generate_content", "gen_ai.request.model": "gemini-2.5-pro", **counts}
    event = decoded(spans({**asked, "gen_ai.usage.reasoning_tokens": 80}))
    assert (event.input_tokens, event.output_tokens) == (100, 100)


def test_what_a_gateway_guesses_of_reasoning_adds_nothing_to_a_total_that_adds_up() -> None:
    usage = usage_of(Spent(10, 0, 0, 5, 0))
    event = as_litellm({**usage, "completion_tokens_details": {"reasoning_tokens": 8}})
    assert (event.output_tokens, event.reasoning_tokens) == (5, 8)


@pytest.mark.parametrize("through", [as_langfuse_span, as_cloudevent])
@given(SPENT)
def test_anthropics_names_leave_the_cached_tokens_out_of_the_input(through: Through, spent: Spent) -> None:
    usage = {
        **{"input_tokens": spent.fresh, "cache_read_input_tokens": spent.read, "output_tokens": spent.answer},
        "cache_creation_input_tokens": spent.written,
    }
    assert counts_of(through(usage)) == spent._replace(reasoning=0).canonical


@pytest.mark.parametrize("through", [as_langfuse_span, as_cloudevent])
def test_a_gateway_that_has_made_the_prompt_whole_may_keep_anthropics_names(through: Through) -> None:
    usage = {**usage_of(spent := Spent(100, 20, 30, 5, 0)), "cache_read_input_tokens": 20}
    assert counts_of(through({**usage, "cache_creation_input_tokens": 30})) == spent.canonical
