"""The roster keeps what it promises, and what is judged is what `tidegate replay` writes."""

from __future__ import annotations

from itertools import islice, pairwise
from pathlib import Path

import msgspec
import pytest

from benchmarks.quality import measure
from benchmarks.quality.drive import blind, replayed, series
from benchmarks.quality.figures import KINDS
from benchmarks.quality.placing import Recipe
from benchmarks.quality.profiles import HOUR
from benchmarks.quality.scenarios import ROSTER, Scenario, _planted, scenarios
from streamer.config import Config
from streamer.records import Scope
from streamer.replay.command import run

pytestmark = pytest.mark.slow

LEAST_BEFORE = {"long": 24 * HOUR, "mid": 4 * HOUR, "short": HOUR}


@pytest.fixture(scope="module")
def tenants() -> list[Scenario]:
    return list(scenarios(1, first=False))


@pytest.fixture(scope="module")
def looping(tenants) -> Scenario:
    return next(s for s in tenants if s.label == "short small" and any(p.variant == "pair" for p in s.plantings))


def test_all_kinds_are_planted_in_either_form():
    for quick in (False, True):
        specs = [spec for spec in ROSTER if spec.quick or not quick]
        assert {Recipe.read(text).kind for spec in specs for text in spec.planted} == set(KINDS)


@pytest.mark.usefixtures("shared_data")  # real clients are some of the clean ones
def test_a_third_of_the_tenants_is_clean(tenants):
    assert sum(not scenario.plantings for scenario in tenants) >= len(tenants) / 3


def test_plantings_lie_apart_within_the_data_after_a_time_to_learn(tenants):
    for scenario in tenants:
        placed = [p for p in scenario.plantings if p.kind != "budget"]
        assert all(one.end + HOUR / 2 <= other.start for one, other in pairwise(placed)), scenario.tenant
        for planting in placed:
            assert planting.start >= scenario.begin + LEAST_BEFORE[scenario.label.split()[0]]
            assert planting.start < planting.certain or not planting.certain
            assert planting.certain < planting.end <= scenario.end


def test_something_is_sent_in_each_planting_but_a_silence(tenants):
    for scenario in tenants:
        events = scenario.events() if scenario.plantings else []
        for planting in scenario.plantings:
            sent = [one for one in events if planting.start <= one.time.timestamp() < planting.end]
            parts = {(one.use_case, one.agent) for one in sent}
            heard = any(planting.use_case in ("", use) and planting.agent in ("", agent) for use, agent in parts)
            assert heard or planting.kind == "silence", (scenario.tenant, planting)


def test_bloat_is_certain_the_sooner_the_larger_it_is():
    delays = {}
    for spec in (spec for spec in ROSTER if spec.size == "large" and any("bloat" in one for one in spec.planted)):
        for factor in (2, 4, 8):
            planted = tuple(f"bloat tokens {factor}" if "bloat" in one else one for one in spec.planted)
            (bloat,) = [p for p in _planted(1, 0, spec._replace(planted=planted)).plantings if p.kind == "bloat"]
            delays.setdefault(spec, []).append(bloat.certain - bloat.start)
    assert delays
    for two, four, eight in delays.values():
        assert (two / four, two / eight) == (pytest.approx(4), pytest.approx(9))
        assert 0 < four < 60


def test_seeds_differ_in_all_that_the_roster_leaves_open(tenants):
    other = next(scenarios(2))
    assert [p.kind for p in other.plantings] == [p.kind for p in tenants[0].plantings]
    assert other.begin != tenants[0].begin
    assert other.plantings[0].start - other.begin != tenants[0].plantings[0].start - tenants[0].begin


def test_seeds_for_tuning_and_for_reporting_have_none_in_common():
    assert not set(measure.SEEDS["tune"]) & set(measure.SEEDS["report"])


def test_what_is_judged_is_what_a_replay_writes(looping, tmp_path: Path):
    measure.write(looping, tmp_path)
    list(run([str(tmp_path / f"{looping.tenant}.jsonl")], Config(), tmp_path / "out"))
    lines = (tmp_path / "out" / "anomalies.jsonl").read_bytes().splitlines()
    written = [msgspec.json.decode(line) for line in lines]
    judged = replayed(looping, Config()).opened
    assert written
    assert sorted((w["id"], w["kind"]) for w in written) == sorted((a.id, a.kind) for a in judged)
    labels = msgspec.json.decode((tmp_path / f"{looping.tenant}.labels.json").read_bytes())
    assert labels["plantings"][-1]["kind"] == "loop"


def test_a_blind_pipeline_says_nothing_and_counts_the_same(looping):
    seeing, without = replayed(looping, Config()), replayed(looping, blind())
    assert seeing.opened
    assert not without.opened
    assert seeing.windows == without.windows
    assert seeing.times.windows == without.times.windows


def test_a_picture_gets_the_windows_of_a_scope_and_the_alarms(looping):
    windows, alarms = series(looping, Scope())
    assert sum(window.requests for window in windows) == sum(event.requests for event in looping.events())
    assert alarms


def test_a_selection_of_kinds_keeps_the_clean_tenants():
    options = measure.Options(seeds=(1,), quick=True, kinds=frozenset({"mix"}))
    kinds = [{p.kind for p in scenario.plantings} for scenario in islice(measure.chosen(options), 8)]
    assert all("mix" in planted or not planted for planted in kinds)
    assert set() in kinds
