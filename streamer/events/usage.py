"""The canonical usage event: one piece of consumption, attributable to whoever caused it."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Kind = Literal["llm", "tool", "vector", "evaluation", "human_review", "saas", "outcome"]
Status = Literal["ok", "error"]

# 2**53 is the largest whole number that every JSON reader keeps exactly.
Count = Annotated[int, Meta(ge=0, le=2**53)]
# OpenAI's response ids, which wrap a whole reference in base64, are the longest seen: over 300 characters.
Id = Annotated[str, Meta(min_length=1, max_length=1024)]
Required = Annotated[str, Meta(min_length=1, max_length=256)]
Name = Annotated[str, Meta(max_length=256)]
# The tag that says how a call was served, and so at which price: batch, flex, priority and so on.
TIER = "service_tier"
# The tag of usage that sums up a number of requests that nobody tells: how many input tokens each had at least.
REQUEST_INPUT = "request_input_tokens"
# The one object that stands in every event that gives no quantity.
NONE = Decimal(0)


class UsageEvent(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One use of an LLM, a tool or another paid service, as CONTRACTS.md names its fields.

    `id` and `source` are unique together. Counts are whole numbers of 0 or more; `cost_usd` is in
    dollars, None where the sender gave none, and may be negative (a credit). `input_tokens` includes
    the cached ones. Arguments of tools are only ever carried as a hash.

    >>> msgspec.json.decode(b'{"id": "1", "time": "2026-11-22T10:00:00Z", "tenant": "acme"}', type=UsageEvent).kind
    'llm'
    """

    id: Id
    time: Annotated[datetime, Meta(tz=True)]
    tenant: Required
    source: Name = ""
    use_case: Name = ""
    agent: Name = ""
    session: Name = ""
    kind: Kind = "llm"
    provider: Name = ""
    model: Name = ""
    tool: Name = ""
    tool_args_hash: Name = ""
    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_read_tokens: Count = 0
    cache_write_tokens: Count = 0
    reasoning_tokens: Count = 0
    steps: Count = 0
    tool_calls: Count = 0
    requests: Count = 0
    quantity: Decimal = NONE
    unit: Name = ""
    cost_usd: Decimal | None = None
    status: Status = "ok"
    user: Name = ""
    api_key: Name = ""
    tags: dict[str, str] = {}

    @property
    def tokens(self) -> int:
        """All tokens, in and out."""
        return self.input_tokens + self.output_tokens
