"""The demo's tenants: how each behaves, by figures measured on real traces."""

from dataclasses import dataclass
from typing import Final

from streamer.demo.figures import AZURE_CODE, MOONCAKE_CONVERSATION, TAU_BENCH_AIRLINE, RequestFigures

_ONE_STEP: Final = (1,) * 21


@dataclass(frozen=True, slots=True)
class TenantProfile:
    """How one agent of one tenant behaves: how often it is asked, what it calls, what each step costs.

    >>> TenantProfile("acme", "chat", "bot", "openai", "gpt-4o", sessions_per_minute=6).kind
    'llm'
    """

    tenant: str
    use_case: str
    agent: str
    provider: str
    model: str
    """Empty for a profile without a model, such as one of vector queries."""
    sessions_per_minute: float
    tools: tuple[tuple[str, float], ...] = ()
    """Each tool and its weight."""
    tool_share: float = 0.0
    """Share of the steps that a tool call follows."""
    kind: str = "llm"
    """Kind of the step events: `llm`, `evaluation` or `vector`."""
    requests: RequestFigures = MOONCAKE_CONVERSATION
    """Where tokens are drawn from."""
    steps: tuple[int, ...] = _ONE_STEP
    """21 quantiles of the steps a session."""
    gap: float = 2.0
    """Median seconds between steps."""


PROFILES: Final = (
    TenantProfile(
        "acme", "support", "triage", "openai", "gpt-4o", sessions_per_minute=36,
        tools=TAU_BENCH_AIRLINE.tools, tool_share=TAU_BENCH_AIRLINE.tool_share, steps=TAU_BENCH_AIRLINE.steps,
    ),
    TenantProfile(
        "globex", "code", "completion", "openai", "gpt-4o-mini", sessions_per_minute=600, requests=AZURE_CODE,
    ),
    TenantProfile(
        "initech", "research", "researcher", "anthropic", "claude-sonnet-4-5", sessions_per_minute=15,
        tools=(("web_search", 0.5), ("fetch_page", 0.35), ("read_file", 0.15)), tool_share=0.8,
        steps=TAU_BENCH_AIRLINE.steps, gap=3.0,
    ),
    TenantProfile(
        "hooli", "quality", "judge", "google", "gemini-2.5-flash", sessions_per_minute=30,
        kind="evaluation", requests=AZURE_CODE, steps=TAU_BENCH_AIRLINE.steps, gap=1.0,
    ),
    TenantProfile(
        "umbrella", "search", "retriever", "pinecone", "", sessions_per_minute=240, kind="vector",
        steps=(1,) * 7 + (2,) * 7 + (3,) * 7, gap=1.0,
    ),
)  # fmt: skip
"""Five tenants that make about 40 events a second together at rate 1."""
