"""What becomes of a person's word on an anomaly: cases that close, levels that are usual now, policies that hold."""

from typing import Literal

from streamer.feedback import Feedback
from streamer.judges.budgets import FIRST_LINE
from streamer.judges.cases import Cases, Told
from streamer.judges.policies import Policies
from streamer.judges.watch import Watch
from streamer.records import AnomalyKind, Scope

#: `unknown`: what is named was not told of lately; `ignored`: not the detectors' business, or over before it came.
Outcome = Literal["applied", "repeated", "unknown", "ignored"]
_DAY = 86_400.0
# Where an anomaly begins; and where evidence, which of one and the same thing goes on growing, ends: at twice as much.
_LEAST, _FULL = 0.5, 2 / 3
# Kinds whose score is evidence, not how far from the usual something is.
_PROVEN: frozenset[AnomalyKind] = frozenset({"drift", "bloat", "mix"})


def heed(feedback: Feedback, at: float, policies: Policies, cases: Cases, watch: Watch) -> Outcome:
    """Act upon a person's word, given at `at` (epoch seconds)."""
    if feedback.verdict == "planned" and feedback.until is not None:
        return _plan(feedback, feedback.until.timestamp(), at, policies, cases)
    if feedback.verdict in ("expected", "false_alarm"):
        told = cases.told(feedback.anomaly, feedback.series)
        if told is None:
            return "unknown"
        if _is_line(told) and told.series not in cases:
            return "ignored"
        _excuse(told, feedback.verdict, at, policies, watch)
        cases.dismiss(told.series, at)
        return "applied"
    return "ignored"


def _plan(feedback: Feedback, until: float, at: float, policies: Policies, cases: Cases) -> Outcome:
    scope = feedback.scope
    if scope == Scope() and feedback.names_case:
        told = cases.told(feedback.anomaly, feedback.series)
        if told is None:
            return "unknown"
        scope = told.scope
    if until <= at:
        return "ignored"
    policies.plan(scope, until, at)
    cases.dismiss_in(scope, at)
    cases.replan_in(scope, at)
    return "applied"


def _excuse(told: Told, verdict: str, at: float, policies: Policies, watch: Watch) -> None:
    if told.kind == "loop":
        # Its score says how often it went round, and grows with each time.
        scope = Scope(session=told.scope.session)
        policies.plan(scope, max(at + _DAY, policies.planned(scope, at) or 0.0), at)
    elif _is_line(told):
        policies.hold(told.series, told.score, at)
    elif watch.forgive(told.series):
        policies.excuse(told.series, verdict, _LEAST, at)
    else:
        score = max(told.score, _FULL) if told.kind in _PROVEN else told.score
        # However fast a budget was expected to burn, its lines are told.
        policies.excuse(told.series, verdict, score, at, most=FIRST_LINE if told.kind == "budget" else 1.0)


def _is_line(told: Told) -> bool:
    """Tell whether a budget's line was crossed, which it stays until the period ends or the limit is raised."""
    return told.kind == "budget" and told.score >= FIRST_LINE
