"""Figures that make the demo's traffic look like real AI traffic.

Each constant was measured on public data; no data is kept here. Measure again, then compare or paste:

    python examples/measure_traces.py DATA_DIR

A tuple of 21 quantiles runs from the least value in steps of 5% to the greatest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class RequestFigures:
    """Sizes and arrivals of single model requests."""

    input_tokens: tuple[int, ...]
    """21 quantiles, tokens a request."""
    output_tokens: tuple[tuple[int, ...], ...]
    """21 quantiles for each third of the requests, shortest input first, tokens a request."""
    requests_per_second: float
    """Mean arrival rate."""
    gap_cv: float
    """Coefficient of variation of the seconds between arrivals; 1 for a Poisson process."""


@dataclass(frozen=True, slots=True)
class SessionFigures:
    """Shapes of agent sessions."""

    steps: tuple[int, ...]
    """21 quantiles, model steps a session."""
    tool_share: float
    """Share of the steps that call a tool."""
    tools: tuple[tuple[str, float], ...]
    """Each tool and its share of the tool calls."""
    step_chars: tuple[int, ...]
    """21 quantiles, characters that the model writes a step: text and tool arguments."""
    most_repeats: int
    """The most calls of one tool with identical arguments in one session."""
    repeating_share: float
    """Share of the sessions that make some call with identical arguments more than once."""


@dataclass(frozen=True, slots=True)
class ClientFigures:
    """Arrivals of production clients: medians across clients of each client's own median over time."""

    clients: int
    """Number of clients measured."""
    requests_per_second: float
    """Median client's rate."""
    gap_cv: float
    """Median client's coefficient of variation of the seconds between arrivals."""


# Azure LLM inference trace 2023, code completion: 8,819 requests in 58 minutes. Licence: CC-BY 4.0.
# https://github.com/Azure/AzurePublicDataset
# Its gaps vary so much because of silences of up to 217 s: not a figure to draw arrivals by.
AZURE_CODE: Final = RequestFigures(
    input_tokens=(
        3,
        75,
        147,
        232,
        386,
        578,
        770,
        939,
        1075,
        1261,
        1469,
        1690,
        1909,
        2164,
        2433,
        2744,
        3192,
        3920,
        5188,
        7303,
        7437,
    ),
    output_tokens=(
        (6, 6, 7, 8, 9, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 24, 30, 40, 57, 91, 1899),
        (6, 6, 7, 7, 8, 9, 9, 10, 11, 12, 13, 14, 15, 17, 20, 23, 28, 38, 54, 85, 871),
        (6, 6, 7, 7, 8, 9, 9, 10, 11, 12, 13, 14, 15, 17, 20, 24, 29, 38, 55, 94, 940),
    ),
    requests_per_second=2.566,
    gap_cv=13.151,
)

# Mooncake, conversation trace: 12,031 requests in 59 minutes. Licence: Apache-2.0.
# https://github.com/kvcache-ai/Mooncake
# Its clock ticks every 3 s, so the gaps vary more here than they did.
MOONCAKE_CONVERSATION: Final = RequestFigures(
    input_tokens=(
        891,
        901,
        964,
        1261,
        1662,
        2306,
        3263,
        4251,
        4993,
        5870,
        6909,
        8186,
        9570,
        11238,
        13196,
        15367,
        17869,
        21464,
        27367,
        39550,
        126195,
    ),
    output_tokens=(
        (1, 9, 23, 37, 68, 115, 168, 213, 257, 292, 326, 357, 388, 415, 445, 473, 509, 553, 608, 698, 2000),
        (1, 12, 27, 64, 120, 173, 220, 261, 294, 323, 347, 371, 393, 414, 437, 460, 487, 526, 569, 664, 2000),
        (1, 9, 24, 50, 121, 200, 250, 287, 318, 347, 370, 391, 414, 437, 459, 482, 513, 550, 607, 729, 2000),
    ),
    requests_per_second=3.401,
    gap_cv=3.034,
)

# tau-bench, airline domain, gpt-4o: 100 agent episodes, 1,163 steps. Licence: MIT.
# https://github.com/sierra-research/tau-bench
TAU_BENCH_AIRLINE: Final = SessionFigures(
    steps=(2, 5, 5, 6, 6, 7, 8, 9, 10, 10, 11, 11, 12, 14, 15, 16, 17, 17, 18, 20, 30),
    tool_share=0.496,
    tools=(
        ("get_reservation_details", 0.343),
        ("search_direct_flight", 0.128),
        ("get_user_details", 0.106),
        ("update_reservation_flights", 0.076),
        ("think", 0.071),
        ("calculate", 0.066),
        ("cancel_reservation", 0.062),
        ("book_reservation", 0.052),
        ("transfer_to_human_agents", 0.05),
        ("search_onestop_flight", 0.021),
        ("update_reservation_baggages", 0.014),
        ("send_certificate", 0.009),
        ("list_all_airports", 0.002),
    ),
    step_chars=(
        2,
        27,
        27,
        27,
        28,
        32,
        56,
        61,
        121,
        145,
        181,
        196,
        216,
        242,
        272,
        304,
        361,
        421,
        482,
        581,
        1256,
    ),
    most_repeats=3,
    repeating_share=0.03,
)

# ServeGen: 36 production clients over 14 days in 10-minute steps. Licence: Apache-2.0.
# https://github.com/alibaba/ServeGen
SERVEGEN_CLIENTS: Final = ClientFigures(
    clients=36,
    requests_per_second=3.0121,
    gap_cv=1.195,
)
