"""Sessions in a loop of any shape are told of by their tenth event; sessions at work or in talk never are."""

import runpy
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import Config, DetectConfig, LoopConfig
from streamer.events.usage import UsageEvent
from streamer.judges.cases import Cases
from streamer.judges.loops import LoopJudge
from streamer.judges.policies import Policies
from streamer.pipeline import Pipeline
from streamer.records import Anomaly, Scope
from tests.streamer.samples import NOW, event, said, submit

ROOT = Path(__file__).parents[3]
Fields = dict[str, Any]


def call(tool: str, arguments: object, agent: str = "triage") -> Fields:
    """A tool call of which the arguments' hash is known."""
    return {"kind": "tool", "tool": tool, "tool_args_hash": f"{arguments}", "agent": agent, "tool_calls": 1}


def step(taken: int, written: int, agent: str = "triage") -> Fields:
    """A request to a model."""
    return {"agent": agent, "input_tokens": taken, "output_tokens": written, "steps": 1, "requests": 1}


def session(steps: Iterable[Fields], gap: float = 1.0, name: str = "s1") -> list[UsageEvent]:
    """Events of one session, a cent each."""
    return [
        event(f"{name}-{n}", n * gap, session=name, use_case="support", cost_usd=Decimal("0.01"), **fields)
        for n, fields in enumerate(steps)
    ]


def loops(events: Iterable[UsageEvent], pipeline: Pipeline | None = None) -> list[Anomaly]:
    return [one for one in submit(pipeline or Pipeline(Config()), events) if one.kind == "loop"]


def alternating(*agents: str) -> Iterator[Fields]:
    return (step(500, 60, agent) for _ in range(4) for agent in agents)


PLANTED: dict[str, tuple[list[Fields], int, Scope, str]] = {
    "identical": (
        [call("search", 1)] * 6,
        6,
        Scope(agent="triage", tool="search"),
        "search called 6 times with the same arguments in 5 s",
    ),
    "cycle": (
        [call("get", 1), call("put", 1), call("check", 1)] * 4,
        10,
        Scope(agent="triage"),
        "the same 3 calls, get the last, gone through 3.33 times in 9 s",
    ),
    "cycle of one tool": (
        [call("search", n % 4) for n in range(10)],
        10,
        Scope(agent="triage", tool="search"),
        "the same 4 calls, search the last, gone through 2.5 times in 9 s",
    ),
    "handing over by calls": (
        [call("transfer", to, agent) for agent, to in ["ab", "bc", "ca"] * 4],
        10,
        Scope(tool="transfer"),
        "the same 3 calls, transfer the last, gone through 3.33 times in 9 s",
    ),
    "variations": (
        [call("search", n) for n in "abcdabbcac"],
        10,
        Scope(agent="triage", tool="search"),
        "search called 10 times in 9 s with only 4 different arguments",
    ),
    "ever new variations": (
        [call("search", "same" if n % 2 else f"other {n}") for n in range(10)],
        10,
        Scope(agent="triage", tool="search"),
        "search called 10 times in 9 s with only 6 different arguments",
    ),
    "in no order": (
        [call(tool, 1) for tool in "abcabbacab"],
        10,
        Scope(agent="triage"),
        "10 calls in 9 s, b the last, only 3 of them different",
    ),
    "ring": (
        list(alternating("planner", "critic", "writer")),
        10,
        Scope(),
        "agents critic, writer and planner handed over to each other 8 times in 8 s, "
        "no new tool call and no outcome between",
    ),
    "growth": (
        [step(2000 + 400 * n, 4) for n in range(12)],
        10,
        Scope(agent="triage"),
        "the context grew with each of 9 steps in 8 s, from 2,400 to 5,600 tokens, with hardly any output, "
        "no new tool call and no outcome",
    ),
}


@pytest.mark.parametrize("shape", PLANTED)
@pytest.mark.parametrize("before", [0, 12])
def test_a_loop_of_any_shape_is_opened_by_its_tenth_event(shape: str, before: int) -> None:
    """At the session's begin, or after some work, when the session is known already."""
    steps, proof, scope, reason = PLANTED[shape]
    work = [call("work", n) for n in range(before)]
    told = loops(session([*work, *steps]))
    opened = told[0]
    number = round(opened.opened_at.timestamp() - NOW) + 1 - before
    assert number <= proof
    assert 0.5 <= opened.score < 1
    if not before:
        assert (number, opened.reason) == (proof, reason)
        assert opened.scope == msgspec.structs.replace(scope, use_case="support", session="s1")
    assert {one.state for one in told[1:]} <= {"updated"}


@pytest.mark.parametrize("shape", PLANTED)
def test_a_loop_costs_what_was_spent_since_it_began(shape: str) -> None:
    """The first event of a session that is only talk is not known any more."""
    steps, proof, *_ = PLANTED[shape]
    opened = loops(session(steps))[0]
    events = proof - (shape in ("ring", "growth"))
    assert opened.usd_excess == Decimal("0.01") * events
    assert opened.usd_per_hour == pytest.approx(Decimal("0.01") * events * 3600 / (events - 1), abs=Decimal("0.001"))


def test_a_loop_that_is_proven_by_one_agent_after_another_has_worked_names_the_one() -> None:
    opened = loops(session([call("plan", 1, "planner"), *([call("search", 1, "executor")] * 6)]))[0]
    assert opened.scope.agent == "executor"
    both = [call("search", 1, agent) for agent in ("planner", "executor") * 3]
    assert loops(session(both))[0].scope == Scope(use_case="support", session="s1", tool="search")


def test_agents_that_hand_over_with_other_words_each_time_are_in_a_loop_by_the_tenth_handover() -> None:
    ring = [
        one
        for n in range(10)
        for here, there in [("planner", "critic") if n % 2 else ("critic", "planner")]
        for one in (step(500 + 30 * n, 20 + 7 * n % 40, here), call(f"transfer_to_{there}", n, here))
    ]
    (opened,) = [one for one in loops(session(ring)) if one.state == "opened"]
    assert opened.scope.session == "s1"


def test_a_call_that_an_answer_asks_for_and_that_has_an_event_of_its_own_is_one_call() -> None:
    """Answers and calls come from different batches, or from different senders."""
    made = call("search", 1)
    asked = {**made, "kind": "llm", "requests": 1}
    assert loops(session([asked, made] * 5)) == []
    assert loops(session([asked, asked, made, made, made] * 1 + [asked, made, made, asked])) == []
    (found,) = opened_loops(loops(session([asked, made] * 6)))
    assert found.reason.startswith("search called 6 times")


def opened_loops(found: list[Anomaly]) -> list[Anomaly]:
    return [one for one in found if one.state == "opened"]


def test_handovers_between_which_work_is_done_are_no_loop() -> None:
    work = [
        one for n in range(30) for one in (call("transfer_to_writer", n, "planner"), call("read_file", n, "writer"))
    ]
    assert loops(session(work)) == []


@pytest.mark.parametrize(("apart", "over"), [(1.0, 30.0), (60.0, 180.0)])
def test_a_loop_is_one_case_however_slowly_it_goes_round(apart: float, over: float) -> None:
    """It is over when it has paused for three times as long as its calls lie apart, or for half a minute."""
    later = [event(f"later-{n}", 11 * apart + n) for n in range(1, 600, 10)]
    told = loops([*session([call("search", 1)] * 12, apart), *later])
    assert [one.state for one in told if one.state != "updated"] == ["opened", "closed"]
    assert told[-1].closed_at
    assert told[-1].closed_at.timestamp() == NOW + 11 * apart + over


def test_a_loop_that_an_earlier_release_wrote_down_is_over_after_half_a_minute() -> None:
    judge = LoopJudge("acme", LoopConfig(), Cases("acme", Policies()))
    for n, one in enumerate(session([call("search", 1)] * 8)):
        judge.on_event(one, 0, NOW + n)
    (written,) = [part for name, part in judge.changes() if name == "/s1" and part]
    without = msgspec.msgpack.encode(msgspec.msgpack.decode(written)[:-1])
    again = LoopJudge("acme", LoopConfig(), Cases("acme", Policies()))
    again.restore([without])
    assert again.due == NOW + 7 + 30


def test_a_loop_that_changes_its_shape_stays_one_case() -> None:
    pipeline = Pipeline(Config())
    told = loops(session([*alternating("a", "b", "c"), *([call("search", 1)] * 20)]), pipeline)
    assert len({one.id for one in told}) == 1
    assert told[-1].reason.startswith("search called 20 times")
    costs = [one.usd_excess for one in told]
    assert costs == sorted(costs)
    (closed,) = pipeline.tick(NOW + 100).anomalies
    assert said([closed]) == [("loop", "tenant=acme/session=s1#loop", "closed")]


def waits_and_polls(polls: int) -> list[Fields]:
    return [call(tool, 1) for _ in range(polls) for tool in ("wait", "job_status")]


def chat(count: int, *, router: bool = False) -> list[Fields]:
    rng = Random(7)
    answers = [step(500 + 250 * n, rng.randint(60, 400), "bot") for n in range(count)]
    return [one for answer in answers for one in ([step(300, 2, "router")] if router else []) + [answer]]


NORMAL: dict[str, list[Fields]] = {
    "reads forty files, and the model's steps are told": [
        one for n in range(40) for one in (step(1000 + 300 * n, 18), call("read_file", n))
    ],
    "reads forty files": [call("read_file", n) for n in range(40)],
    "reads forty files, told with the model's steps": [
        step(1000 + 300 * n, 18) | {"tool": "read_file", "tool_args_hash": str(n), "tool_calls": 1} for n in range(40)
    ],
    "calls a tool whose arguments are not known": [
        one for n in range(40) for one in (step(1000 + 300 * n, 18), call("read_file", ""))
    ],
    "only its number of calls is known": [step(1000 + 300 * n, 18) | {"tool_calls": 1} for n in range(40)],
    "planner and executor": [
        one
        for n in range(30)
        for one in (step(1000, 60, "planner"), step(500, 60, "executor"), call("do", n, "executor"))
    ],
    "planner and executor, arguments not known": [
        one
        for n in range(30)
        for one in (step(1000, 60, "planner"), step(500, 60, "executor"), call("do", "", "executor"))
    ],
    "writer and critic, until each piece is done": [
        one for _ in range(20) for one in (*list(alternating("writer", "critic"))[:6], {"kind": "outcome"})
    ],
    "polls a job four times": [call("submit", 1), *([call("job_status", 1)] * 4), call("result", 1)] * 1,
    "polls a job four times and waits": [
        call("submit", 1),
        *waits_and_polls(4),
        call("result", 1),
        call("send", 1),
        *(call("read", n) for n in range(9)),
    ],
    "runs the tests after each edit": [
        one for n in range(20) for one in (call("read", n), call("edit", n), step(3000, 80), call("test", "all"))
    ],
    "takes one item after another": [
        one for n in range(20) for one in (call("next", ""), call("fetch", n), call("store", n))
    ],
    "retries thrice after errors": [
        one | {"status": "error" if n < 2 else "ok"} for i in range(10) for n in range(3) for one in (call("get", i),)
    ],
    "answers each time": chat(60),
    "answers each time, always as much": [step(500 + 200 * n, 150) for n in range(60)],
    "a router before each answer": chat(15, router=True),
    "short answers about as much": [step(800, 5) for _ in range(60)],
    "speaks of no tokens": [{"agent": "bot"}] * 60,
}


@pytest.mark.parametrize("gap", [1.0, 7.0])
@pytest.mark.parametrize("work", NORMAL)
def test_a_session_at_work_is_in_no_loop(work: str, gap: float) -> None:
    assert loops(session(NORMAL[work], gap)) == []


def test_people_who_talk_with_a_router_and_a_bot_for_hours_are_in_no_loop() -> None:
    turns = [one for n, one in enumerate(session(chat(100, router=True), gap=30.0)) if n]
    assert loops(turns) == []


def test_real_agents_at_work_are_in_no_loop(shared_data: Path) -> None:
    """100 episodes of tau-bench, with their models' steps, at the pace of a machine."""
    events_of = runpy.run_path(str(ROOT / "examples" / "trace_events.py"))["events_of"]
    rows = list(events_of(shared_data / "traces" / "taubench_airline_gpt4o.jsonl"))
    events = [msgspec.convert(row, UsageEvent, strict=False) for row in rows]
    assert len({one.session for one in events}) == 100
    assert loops(events) == []


def parts(pipeline: Pipeline) -> dict[str, bytes]:
    """What a checkpoint holds of loops."""
    return {key: part for key, part in pipeline.changes() if key.startswith("loops/") and part is not None}


def test_sessions_that_are_asked_and_answer_are_not_followed() -> None:
    """Of a thousand of them it is known only that they were met, in a few bytes each."""
    pipeline = Pipeline(Config())
    for number in range(1000):
        submit(pipeline, session(chat(2), name=f"chat-{number}"))
    kept = parts(pipeline)
    assert not [key for key in kept if "chat" in key]
    assert sum(map(len, kept.values())) < 20_000


def test_a_session_is_followed_from_its_first_call_its_second_agent_or_its_second_step_of_few_words() -> None:
    def followed(*steps: Fields) -> bool:
        pipeline = Pipeline(Config())
        submit(pipeline, session(steps))
        return any("/s1" in key for key in parts(pipeline))

    assert followed(call("search", 1))
    assert followed(step(500, 100, "a"), step(500, 100, "b"))
    assert followed(step(500, 100, "a"), step(500, 20, "a"))
    assert followed(step(500, 20, ""), step(600, 20, ""))
    assert not followed(step(500, 20, "a"))
    assert not followed(step(500, 20, "a"), step(500, 100, "a"), step(500, 100, "a"))
    assert not followed(call("search", ""), call("search", ""), {"kind": "outcome", "agent": "b"})


def test_no_loop_is_looked_for_where_that_is_turned_off() -> None:
    off = Config(detect=DetectConfig(loop=LoopConfig(enabled=False)))
    for steps, *_ in PLANTED.values():
        pipeline = Pipeline(off)
        assert loops(session(steps), pipeline) == []
        assert parts(pipeline) == {}


def test_a_session_is_forgotten_with_its_case_when_too_many_others_are_more_active() -> None:
    few = Config(detect=DetectConfig(loop=LoopConfig(max_sessions=10)))
    pipeline = Pipeline(few)
    assert loops(session(PLANTED["ring"][0]), pipeline)[0].state == "opened"
    others = [event(f"other-{n}", 12, session=f"other-{n}", **call("t", n)) for n in range(10)]
    assert said(loops(others, pipeline)) == [("loop", "tenant=acme/session=s1#loop", "closed")]


def test_a_session_whose_calls_are_all_forgotten_is_forgotten_when_another_comes() -> None:
    pipeline = Pipeline(Config(detect=DetectConfig(loop=LoopConfig(span_seconds=60))))
    kept: set[str] = set()
    for at, name, held in ((0, "a", "a"), (50, "b", "ab"), (60, "c", "abc"), (61, "d", "bcd"), (900, "e", "e")):
        submit(pipeline, [event(name, at, session=name, **call("search", name))])
        changes = {key.rpartition("/")[2]: part for key, part in pipeline.changes() if key.startswith("loops/")}
        kept = (kept | changes.keys()) - {name for name, part in changes.items() if part is None}
        assert kept == set(held)


# Small enough that a few dozen events make loops of all shapes.
NERVOUS = Config(
    detect=DetectConfig(
        loop=LoopConfig(
            repeats=4, memory=12, window=6, longest_cycle=3, ring_handovers=3, growth_steps=3, max_sessions=10
        )
    )
)


def random_events(seed: int) -> list[UsageEvent]:
    """Some sessions' calls, steps and outcomes, some of them late."""
    rng = Random(seed)
    calls, agents = rng.random(), rng.choice([["a"], ["a", "b"], ["a", "b", "c"]])
    return [
        event(
            n,
            max(0.0, n - rng.choice([0, 0, 0, 3, 30])),
            session=rng.choice(["s", "s", "t", f"once-{n}"]),
            cost_usd=Decimal(n),
            **(
                call(rng.choice("xyy"), rng.choice("112"), rng.choice(agents))
                if rng.random() < calls
                else rng.choice([step(500 + 100 * n, rng.choice([5, 5, 60]), rng.choice(agents))] * 9 + [OUTCOME])
            ),
        )
        for n in range(80)
    ]


OUTCOME: Fields = {"kind": "outcome"}


def test_random_sessions_make_loops_of_all_shapes() -> None:
    reasons = " ".join(one.reason for seed in range(60) for one in loops(random_events(seed), Pipeline(NERVOUS)))
    for words in ("same arguments", "gone through", "different arguments", "of them different", "handed over", "grew"):
        assert words in reasons, words


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 80))
def test_a_judge_that_is_restored_anywhere_goes_on_to_the_byte(seed: int, cut: int) -> None:
    events, whole, again, log = random_events(seed), Pipeline(NERVOUS), Pipeline(NERVOUS), dict[str, bytes]()

    def keep(pipeline: Pipeline, into: dict[str, bytes]) -> dict[str, bytes]:
        for key, part in pipeline.changes():
            if part is None:
                into.pop(key, None)
            else:
                into[key] = part
        return into

    submit(whole, events[: cut // 2])
    keep(whole, log)
    submit(whole, events[cut // 2 : cut])
    again.restore(keep(whole, log))
    assert submit(again, events[cut:]) == submit(whole, events[cut:])
    assert keep(again, dict(log)) == keep(whole, dict(log))
