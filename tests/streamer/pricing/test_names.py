"""Models are found by the names that gateways, clouds and frameworks give them; prices here are the providers' own."""

import gc
import tracemalloc
from decimal import Decimal

import pytest

from streamer.pricing import names
from streamer.pricing.book import PriceBook
from streamer.pricing.money import dollars
from tests.streamer.samples import event

GPT_4O, SONNET, FLASH = ("2.5", "10", "1.25"), ("3", "15", "0.3"), ("0.3", "2.5", "0.03")
NAMES = [
    ("openai", "gpt-4o-2024-08-06", GPT_4O),
    ("OpenAI", "GPT-4o", GPT_4O),
    ("openai", "openai/gpt-4o", GPT_4O),
    ("azure", "azure/gpt-4o", GPT_4O),
    ("azure.ai.openai", "gpt-4o", GPT_4O),
    ("", "azure/gpt-4o-2024-08-06", GPT_4O),
    ("", "openrouter/openai/gpt-4o", GPT_4O),
    ("langchain", "openai/gpt-4o", GPT_4O),
    ("openai", "ft:gpt-4o-mini-2024-07-18:acme::abc", ("0.3", "1.2", "0.3")),
    ("bedrock", "us.anthropic.claude-sonnet-4-20250514-v1:0", SONNET),
    ("aws.bedrock", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", SONNET),
    ("aws.bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", ("3.3", "16.5", "0.33")),
    ("strands-agents", "us.anthropic.claude-sonnet-4-20250514-v1:0", SONNET),
    ("", "bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0", SONNET),
    ("", "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-5-sonnet-20240620-v1:0", SONNET),
    ("bedrock_converse", "us.amazon.nova-lite-v1:0", ("0.06", "0.24", "0.015")),
    ("vertex_ai-anthropic_models", "claude-sonnet-4@20250514", SONNET),
    ("vertex_ai", "vertex_ai/gemini-2.5-flash", FLASH),
    ("gcp.gemini", "models/gemini-2.5-flash", FLASH),
    ("gemini", "gemini/gemini-2.5-flash", FLASH),
    ("openrouter", "anthropic/claude-sonnet-4.5", SONNET),
    ("anthropic", "anthropic/claude-opus-4-1", ("15", "75", "1.5")),
    ("xai", "xai/grok-4", ("3", "15", "0.75")),
    ("groq", "groq/llama-3.3-70b-versatile", ("0.59", "0.79", "0.59")),
]


@pytest.mark.parametrize(("provider", "model", "prices"), NAMES)
def test_a_model_is_found_by_what_it_is_called(provider: str, model: str, prices: tuple[str, str, str]) -> None:
    """A hundred thousand tokens each of fresh input, output and cached input: below every dearer band."""
    book, many = PriceBook(), 100_000
    for price, counts in zip(
        prices,
        ({"input_tokens": many}, {"output_tokens": many}, {"input_tokens": many, "cache_read_tokens": many}),
        strict=True,
    ):
        femto, origin = book.cost(event(provider=provider, model=model, **counts))
        assert (origin, dollars(femto)) == ("computed", Decimal(price) / 10)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "openai/no-such-model"),
        ("hosted_vllm", "openai/gpt-4o"),
        ("ollama", "mistral-small"),
        ("", "ollama/mistral-small"),
        ("Ollama", "gpt-oss-20b"),
        ("LM Studio", "gpt-oss-20b"),
        ("lmstudio", "gpt-oss-20b"),
        ("sglang", "gpt-oss-20b"),
        ("llama.cpp", "gpt-oss-20b"),
        ("openai", "claude-sonnet"),
        ("", "no/such/thing"),
        ("aws", "us.anthropic."),
        ("openai", "whisper-1"),  # by the minute
        ("openai", "tts-1"),  # by the character
        ("mistral", "mistral-ocr-latest"),  # by the page
    ],
)
def test_what_nobody_has_a_price_for_is_unpriced_and_named(provider: str, model: str) -> None:
    book = PriceBook()
    assert book.cost(event(provider=provider, model=model, input_tokens=5)) == (0, "unpriced")
    assert book.news() == [f"model {provider}/{model}"]


def test_a_model_that_costs_nothing_has_a_price() -> None:
    free = event(provider="openrouter", model="openai/gpt-oss-20b:free", input_tokens=5)
    assert PriceBook().cost(free) == (0, "computed")


def test_names_that_somebody_invents_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_MOST_NAMES", 64)
    names.model_of("openai", "gpt-4o")
    tracemalloc.start()
    try:
        for number in range(800):
            assert names.model_of("nobody", f"invented-{number}") is None
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The library keeps some 350 bytes of each: 280 KB of all.
    assert held < 100_000
