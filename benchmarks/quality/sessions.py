"""What sessions do: steps with growing context, tool calls, vector queries, evaluations, and outcomes at the end."""

import math
from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any

from benchmarks.quality.plantings import Conditions, Planting
from benchmarks.quality.profiles import Model, Stream
from streamer.clock import utc
from streamer.events.usage import UsageEvent

SOURCE = "quality"
_MOST_STEPS, _MOST_TOKENS = 14, 180_000
_VECTOR_USD = Decimal("0.0002")
# Of calls that are made again with the same arguments, twice or three times in all.
_REPEATED = 0.04
# Standard deviation of the logarithm of what a request gives, each drawn by itself.
OUTPUT_SIGMA = 0.7


class Session:
    """One session of a stream; draws from its own random numbers, so that plantings leave other sessions alone."""

    def __init__(self, tenant: str, stream: Stream, name: str, seed: str, conditions: Conditions) -> None:
        self._tenant, self._stream, self._name, self._conditions = tenant, stream, name, conditions
        self._random = Random(f"{seed}/{name}")
        self._ids = count()

    def events(self, at: float) -> Iterator[UsageEvent]:
        """Give its events from `at` (epoch seconds) on, nearly in the order of their time."""
        random, stream = self._random, self._stream
        steps = min(_MOST_STEPS, 1 + int(random.expovariate(1 / (stream.steps - 0.5))))
        base = random.lognormvariate(math.log(stream.input_median), stream.input_sigma)
        if random.random() < stream.vector:
            yield self._event(at, kind="vector", provider="pinecone", quantity=Decimal(1), cost_usd=_VECTOR_USD)
            at += random.uniform(0.1, 0.5)
        for step in range(steps):
            yield from self._step(at, base * (1 + 0.25 * step))
            at += random.lognormvariate(1.2, 0.6)
        if random.random() < self._conditions.outcomes(at):
            yield self._event(at, kind="outcome")

    def loop(self, planting: Planting, partners: tuple[str, ...]) -> Iterator[UsageEvent]:
        """Give the events of a planted loop: a step before each call, both by `partners` in turn if there are any."""
        random, tokens = self._random, 1500.0
        calls = [(random.choice(self._stream.tools), _hash(random)) for _ in range(3)]
        for number, at in enumerate(planting.marks):
            tokens += random.uniform(300, 1200) if planting.variant == "growing" else 30
            who = {"agent": partners[number % len(partners)]} if partners else {}
            output = random.randint(0, 4) if planting.variant == "growing" else random.randint(20, 60)
            step_at = at if planting.variant == "growing" else at - 0.4
            yield self._request(step_at, self._stream.models[0], tokens, output, who)
            if planting.variant == "ring":
                tool, arguments = f"hand_to_{partners[(number + 1) % len(partners)]}", _hash(random)
                yield self._event(at, kind="tool", tool=tool, tool_args_hash=arguments, tool_calls=1, **who)
            elif planting.variant != "growing":
                tool, arguments = self._looped(planting.variant, number, calls)
                yield self._event(at, kind="tool", tool=tool, tool_args_hash=arguments, tool_calls=1, **who)

    def _looped(self, variant: str, number: int, calls: list[tuple[str, str]]) -> tuple[str, str]:
        if variant == "varied" and self._random.random() < 0.3:
            return self._random.choice(self._stream.tools), _hash(self._random)
        cycle = {"pair": 2, "triple": 3}.get(variant, 1)
        return calls[number % cycle]

    def _step(self, at: float, context: float) -> Iterator[UsageEvent]:
        random, stream, conditions = self._random, self._stream, self._conditions
        factor = conditions.tokens(at)
        model = stream.models[random.random() < conditions.dear(at)]
        output = random.lognormvariate(math.log(stream.output_median), OUTPUT_SIGMA) * factor
        yield self._request(at, model, context * factor, output, {})
        yield from self._evaluation(at + random.uniform(0.5, 2), context * factor + output)
        if random.random() < stream.tool_share:
            yield from self._calls(at + random.uniform(0.2, 1.0))

    def _calls(self, at: float) -> Iterator[UsageEvent]:
        random = self._random
        tool, arguments = random.choice(self._stream.tools), _hash(random)
        for repeat in range(random.randint(2, 3) if random.random() < _REPEATED else 1):
            moment = at + 0.5 * repeat
            yield self._event(moment, kind="tool", tool=tool, tool_args_hash=arguments, tool_calls=1)

    def _evaluation(self, at: float, tokens: float) -> Iterator[UsageEvent]:
        everything = self._conditions.evaluates_all(at)
        if everything or self._random.random() < self._stream.evaluated:
            model = self._stream.models[everything]
            yield self._request(at, model, tokens, self._random.randint(10, 60), {"kind": "evaluation"})

    def _request(self, at: float, model: Model, tokens: float, output: float, more: dict[str, Any]) -> UsageEvent:
        random, failed = self._random, self._random.random() < self._stream.errors
        whole = min(_MOST_TOKENS, 1 + round(tokens))
        share = min(1.0, random.gauss(1, 0.2) * self._conditions.cached(at)) if "kind" not in more else 0.0
        return self._event(
            at,
            provider=model.provider,
            model=model.name,
            input_tokens=whole,
            output_tokens=0 if failed else min(_MOST_TOKENS, round(output)),
            cache_read_tokens=max(0, int(whole * share)),
            steps=1,
            requests=1,
            status="error" if failed else "ok",
            **more,
        )

    def _event(self, at: float, **fields: Any) -> UsageEvent:
        stream = self._stream
        fields = {"agent": stream.agent, **fields}
        return UsageEvent(
            id=f"{self._name}-{next(self._ids)}",
            time=utc(at),
            tenant=self._tenant,
            source=SOURCE,
            use_case=stream.use_case,
            session=self._name,
            **fields,
        )


def _hash(random: Random) -> str:
    return f"{random.getrandbits(64):016x}"
