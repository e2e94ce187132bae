"""Make believable usage events: seeded, without clock or I/O, so that the same seed gives the same events.

A session is a generator that yields its next event with the time it is due and is told whether the gateway
allowed it. Each session and each stream of arrivals draws from its own random numbers, so that a planted
loop or a refusal leaves the rest of the traffic as it was.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import count
from math import inf
from random import Random
from typing import Any, Final, NamedTuple

from streamer.demo.figures import SERVEGEN_CLIENTS
from streamer.demo.profiles import PROFILES, TenantProfile

Event = dict[str, Any]
"""A canonical usage event, ready for JSON."""
Admit = Callable[[Event], bool]
"""Whether the gateway lets the request of this event through."""
_Play = Generator[tuple[float, Event | None], bool, None]

SOURCE: Final = "tidegate-demo"
LOOP_EVERY: Final = 0.5
"""Seconds between the rounds of a planted loop."""
_GAP_SPREAD: Final = 0.5  # sigma of the log-normal gaps
_FIRST_RETRY: Final = 2.0  # seconds, doubled by each refusal
_RETRIES: Final = 5
# About 3 of 100 support sessions then repeat a call with the same arguments, as in tau-bench.
_ARGUMENT_CHOICES: Final = 90


class _Turn(NamedTuple):
    at: float
    order: int  # breaks ties, because events cannot be compared
    session: str
    event: Event | None
    play: _Play


class Traffic:
    """Usage events of several tenants, with loops and bursts planted on demand.

    Ask for consecutive spans; what lies between two spans is played, but neither emitted nor submitted to
    the gateway. Sessions begin with the first span, so ask for a minute beforehand to start in full swing.
    Give one profile a tenant, and another seed for new event ids where the old ones are remembered.

    >>> traffic = Traffic(PROFILES, seed=7)
    >>> events = traffic.due(0.0, 1.0)
    >>> events == sorted(events, key=lambda event: event["time"])
    True
    """

    def __init__(self, profiles: Sequence[TenantProfile] = PROFILES, seed: int = 0, rate: float = 1.0) -> None:
        self.refused: Counter[tuple[str, str, str]] = Counter()
        """Refused requests by (tenant, agent, session)."""
        self._profiles: Mapping[str, TenantProfile] = {profile.tenant: profile for profile in profiles}
        self._seed = seed
        self._rate = rate
        self._turns: list[_Turn] = []
        self._order = count()
        self._plantings = count(1)
        self._stopped: set[str] = set()
        self._played = -inf

    def due(self, since: float, until: float, admit: Admit = lambda event: True) -> list[Event]:
        """Return the events of [since, until), epoch seconds, sorted by time.

        `admit` is asked in time order about each event that is a request (`requests` is 1). A refused event
        is not returned: its session backs off and gives up after five retries; a loop retries at its pace.
        """
        if self._played == -inf:
            self._begin(since)
        events = []
        while self._turns and self._turns[0].at < until:
            turn = heapq.heappop(self._turns)
            if turn.session in self._stopped:
                continue
            allowed = turn.at < since or self._allowed(turn.event, admit)
            if turn.event is not None and allowed and turn.at >= since:
                events.append(turn.event)
            self._schedule(turn.session, turn.play, allowed)
        self._played = max(self._played, until)
        return events

    def start_loop(self, tenant: str, at: float, every: float = LOOP_EVERY) -> str:
        """Plant an agent that repeats one identical tool call every `every` seconds; return its session.

        It goes on until `stop_loop`. An `at` that has been played already means at once.
        Raises ValueError for a tenant whose agent has no tools.
        """
        profile = self._profiles[tenant]
        if not profile.tools:
            raise ValueError(f"tenant {tenant!r} calls no tool, so it cannot loop: choose one that does")
        session = f"{tenant}-{self._seed}-loop{next(self._plantings)}"
        script = _Script(profile, session, Random(f"{self._seed}/{session}"))
        self._schedule(session, script.loop(max(at, self._played), every))
        return session

    def stop_loop(self, session: str) -> None:
        """End a planted session: nothing more comes of it."""
        self._stopped.add(session)

    def start_burst(self, tenant: str, at: float, until: float, factor: float) -> None:
        """Multiply the session arrivals of a tenant by `factor`, 1 or more, within [at, until)."""
        if factor < 1:
            raise ValueError(f"factor {factor} would thin the traffic: give 1 or more")
        self._arrive(self._profiles[tenant], f"burst{next(self._plantings)}", at, until, factor - 1)

    def _begin(self, at: float) -> None:
        self._played = at
        for profile in self._profiles.values():
            self._arrive(profile, "main", at, inf, 1.0)

    def _arrive(self, profile: TenantProfile, stream: str, at: float, until: float, factor: float) -> None:
        per_second = profile.sessions_per_minute / 60 * self._rate * factor
        if per_second > 0:
            name = f"{profile.tenant}-{self._seed}-{stream}"
            self._schedule(name, self._arrivals(profile, name, max(at, self._played), until, per_second))

    def _arrivals(self, profile: TenantProfile, name: str, at: float, until: float, per_second: float) -> _Play:
        random = Random(f"{self._seed}/{name}")
        shape = SERVEGEN_CLIENTS.gap_cv**-2  # a gamma's coefficient of variation is the root of 1 / shape
        for number in count():
            at += random.gammavariate(shape, 1 / (shape * per_second))
            if at >= until:
                return
            yield at, None
            session = f"{name}-{number:06d}"
            script = _Script(profile, session, Random(f"{self._seed}/{session}"))
            self._schedule(session, script.session(at))

    def _schedule(self, session: str, play: _Play, allowed: bool | None = None) -> None:
        try:
            at, event = next(play) if allowed is None else play.send(allowed)
        except StopIteration:
            return
        # Rounded as the written time is, so that both fall into the same span, yet never into a span gone by.
        at = max(round(at, 6), self._played)
        if event is not None:
            event["time"] = rfc3339(at)
        heapq.heappush(self._turns, _Turn(at, next(self._order), session, event, play))

    def _allowed(self, event: Event | None, admit: Admit) -> bool:
        if event is None or not event["requests"] or admit(event):
            return True
        self.refused[event["tenant"], event["agent"], event["session"]] += 1
        return False


class _Script:
    """What one session does; each method yields an event with its time and is told if it was allowed."""

    def __init__(self, profile: TenantProfile, session: str, random: Random) -> None:
        self._profile = profile
        self._session = session
        self._random = random
        self._events = count()

    def session(self, at: float) -> _Play:
        steps = round(draw(self._profile.steps, self._random.random()))
        for _ in range(steps):
            for retry in range(_RETRIES + 1):
                if (yield at, self._step()):
                    break
                at += _FIRST_RETRY * 2**retry
            else:
                return
            if self._random.random() < self._profile.tool_share:
                at += self._gap(self._profile.gap / 4)
                yield at, self._call(*self._drawn_call())
            at += self._gap(self._profile.gap)

    def loop(self, at: float, every: float) -> _Play:
        tool, args_hash = self._drawn_call()
        while True:
            if (yield at, self._step()):
                yield at + every / 2, self._call(tool, args_hash)
            at += every * self._random.uniform(0.9, 1.1)

    def _gap(self, seconds: float) -> float:
        return seconds * self._random.lognormvariate(0, _GAP_SPREAD)

    def _drawn_call(self) -> tuple[str, str]:
        tools, weights = zip(*self._profile.tools, strict=True)
        tool = self._random.choices(tools, weights)[0]
        arguments = f"{tool}/{self._session}/{self._random.randrange(_ARGUMENT_CHOICES)}"
        return tool, blake2b(arguments.encode(), digest_size=16).hexdigest()

    def _step(self) -> Event:
        if self._profile.kind == "vector":
            return self._event("vector", quantity=1, unit="query", requests=1)
        share = self._random.random()
        outputs = self._profile.requests.output_tokens
        output = draw(outputs[int(share * len(outputs))], self._random.random())
        return self._event(
            self._profile.kind,
            model=self._profile.model,
            input_tokens=round(draw(self._profile.requests.input_tokens, share)),
            output_tokens=round(output),
            steps=1,
            requests=1,
        )

    def _call(self, tool: str, args_hash: str) -> Event:
        return self._event("tool", tool=tool, tool_args_hash=args_hash, tool_calls=1, requests=0)

    def _event(self, kind: str, **fields: str | int) -> Event:
        profile = self._profile
        return {
            "id": f"{self._session}-{next(self._events):04d}",
            "source": SOURCE,
            "time": "",
            "tenant": profile.tenant,
            "use_case": profile.use_case,
            "agent": profile.agent,
            "session": self._session,
            "kind": kind,
            **({} if kind == "tool" else {"provider": profile.provider}),
            **fields,
            "status": "ok",
            "tags": {"environment": "demo"},
        }


def draw(quantiles: Sequence[int], share: float) -> float:
    """Return the value at `share`, 0 to below 1, of quantiles in even steps, all above 0.

    Between two quantiles the value grows geometrically: linear growth would overstate the mean of long tails.
    """
    place = share * (len(quantiles) - 1)
    below = int(place)
    low, high = quantiles[below], quantiles[below + 1]
    return float(low * (high / low) ** (place - below))


def rfc3339(at: float) -> str:
    """Write epoch seconds as RFC 3339 UTC with microseconds.

    >>> rfc3339(0.5)
    '1970-01-01T00:00:00.500000Z'
    """
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
