"""Whatever fails and however often: what is metered is what was produced, and each anomaly is reported under one id."""

import time
from collections import Counter
from pathlib import Path

import pytest

from tests.brokers import Broker
from tests.brokers.apache import ApacheKafka, JarsKafka
from tests.chaos.evidence import Evidence
from tests.chaos.faults import FAULTS, OF_OUR_BROKER, Field
from tests.chaos.fleet import Fleet
from tests.chaos.line import Line
from tests.chaos.plan import SEED, Plan, plan_of
from tests.chaos.traffic import Traffic

pytestmark = [pytest.mark.integration, pytest.mark.chaos]
# Long enough for each loop to make the calls that prove it, all in good time.
_CALM_SECONDS = 6.0


@pytest.mark.parametrize("workers", [1, 3])
def test_totals_and_anomalies_stay_exact(
    apache_broker: ApacheKafka, lines: list[Line], tmp_path: Path, workers: int
) -> None:
    """Faults of every kind strike while usage with known totals comes in; then all windows are given time to close."""
    ours = apache_broker if isinstance(apache_broker, JarsKafka) else None
    plan = plan_of(workers, ours is not None)
    # The least that our broker takes, with room for a machine that is busy; others may insist on 6.
    session_seconds = 3 if ours else 6
    fleet = Fleet(Broker("apache", apache_broker.bootstrap), tmp_path, lines, session_seconds)
    traffic = Traffic(fleet.bootstrap, fleet.topics, f"{plan.seed}/traffic")
    evidence = Evidence(fleet.topics)
    try:
        with fleet:
            field = Field(fleet, ours, workers, session_seconds)
            _begin(field)
            with traffic:
                _strike(field, plan, traffic)
            evidence.read(fleet.bootstrap, lambda found: not traffic.totals.beyond(found.totals))
    finally:
        _tell(plan, fleet, traffic, evidence)
    _judge(traffic, evidence)
    if ours is None:
        pytest.skip(f"exact, but without {' and '.join(OF_OUR_BROKER)}: Apache Kafka is {apache_broker.description}")


def _begin(field: Field) -> None:
    # The first worker creates the topics, which the producer needs.
    field.fleet.be(1)
    field.fleet.settle()
    field.fleet.be(field.size)
    field.fleet.settle()


def _strike(field: Field, plan: Plan, traffic: Traffic) -> None:
    for step in plan:
        if step.plant:
            traffic.plant()
        began = time.monotonic()
        traffic.check()
        FAULTS[step.fault](field, step.dice)
        field.fleet.be(field.size)
        if step.settle:
            field.fleet.settle()
        traffic.repeat()
        _say(f"{step.fault} took {time.monotonic() - began:.1f} s")
        time.sleep(step.dice.uniform(0, 1))
    field.fleet.settle()
    time.sleep(_CALM_SECONDS)
    traffic.stop()


def _judge(traffic: Traffic, evidence: Evidence) -> None:
    ids = evidence.ids
    findings = {
        "metered beyond what was produced (less: negative)": evidence.totals.beyond(traffic.totals),
        "rollups that were written twice, and not alike": evidence.contradictions,
        "planted anomalies that nobody reported": traffic.planted - set(ids),
        "reported anomalies that nobody planted": set(ids) - traffic.planted,
        "anomalies under several ids": {known: found for known, found in ids.items() if len(found) > 1},
        "anomalies that were not opened once": {
            one: places for one, places in evidence.openings.items() if len(places) != 1
        },
    }
    # In words of our own, for pytest cuts a comparison short.
    wrong = [f"{finding}: {found!s:.4000}" for finding, found in findings.items() if found]
    assert not wrong, "\n".join(wrong)


def _tell(plan: Plan, fleet: Fleet, traffic: Traffic, evidence: Evidence) -> None:
    _say(f"to run it again: {SEED}={plan.seed.split('/')[0]}")
    gave_up, stubborn = (sum(getattr(w, how) for w in fleet.started) for how in ("gave_up", "stubborn"))
    _say(f"faults: {dict(Counter(plan.faults))}; {len(fleet.started)} workers were started")
    _say(f"{gave_up} workers ended by themselves, {stubborn} did not leave when they were told to")
    _say(f"{traffic.totals.events:,} events, {traffic.repeated:,} sent again, {len(traffic.planted)} planted anomalies")
    _say(f"longest pauses between rollups: {', '.join(f'{p:.1f} s' for p in evidence.pauses(5))}")
    _say(
        f"a window's rollup came at the latest {evidence.delay:.1f} s after its end; {len(evidence.repeats)} came twice"
    )
    for words in evidence.repeats[:12]:
        _say(words)
    if evidence.repeats:
        for words in fleet.turns():
            _say(words)
    for words, times in fleet.warnings(12):
        _say(f"{times:6} warnings: {words}")


def _say(words: str) -> None:
    print(words)  # noqa: T201 - pytest shows it where the test fails, and where it is asked for
