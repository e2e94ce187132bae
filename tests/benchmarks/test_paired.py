from itertools import pairwise
from pathlib import Path
from random import Random

import msgspec
import pytest

from benchmarks import page, units
from benchmarks.paired import Span, cost, costs, turns, within
from benchmarks.units import Unit
from benchmarks.written import Written, _moved


def worked(spans, slower, dice):
    """Units of 25 ms each, slower by that where it ran, on a machine that drifts and is noisy."""
    found, at = [], spans[0].began
    while at < spans[-1].ended:
        ran = any(span.ran for span in spans if span.began <= at < span.ended)
        took = 0.025 * (1 + slower * ran) * (1 + 0.1 * at / 200) * dice.lognormvariate(0, 0.05)
        found.append(Unit(at, at + took, took * 0.9))
        at += took + 0.005
    return found


def spans_of(pairs):
    return [Span(float(n), n + 1.0, ran, 0.05 * ran) for n, ran in enumerate(turns(pairs, Random(1)))]


@pytest.mark.parametrize("slower", [0.0, 0.02, 0.1])
def test_what_something_costs_is_found_within_its_error(slower):
    spans = spans_of(60)
    found = cost(costs(worked(spans, slower, Random(2)), spans, lambda unit: unit.cpu))
    assert found.share == pytest.approx(1 - 1 / (1 + slower), abs=3 * found.error)
    assert 0 < found.error < 0.005


def test_each_pair_has_it_run_once_and_held_once_in_no_order_that_goes_on():
    ran = turns(100, Random(1))
    assert all(sum(pair) == 1 for pair in zip(ran[::2], ran[1::2], strict=True))
    assert 20 < sum(first for first in ran[::2]) < 80


def test_a_unit_in_which_it_was_let_run_or_held_belongs_to_no_span():
    units_ = [Unit(0.0, 0.9, 0.9), Unit(0.95, 1.05, 0.1), Unit(1.1, 2.0, 0.9)]
    found = [within(units_, span) for span in (Span(0.0, 1.0, True), Span(1.0, 2.0, False))]
    assert found == [[units_[0]], [units_[2]]]


def test_the_figures_tell_what_the_page_used_when_held_in_turn_and_when_not():
    spans = spans_of(60)
    measured = page.Measured(spans, worked(spans, 0.1, Random(3)), cpus=0.04, viewers_cpus=0.01)
    said = page.figures(measured)
    assert (said["page.cpus"], said["page.cpus.in_turn"]) == (0.04, pytest.approx(0.05))
    assert said["page_costs_the_worker.in_turn"] == pytest.approx(0.09, abs=0.01)
    assert said["page_costs_the_worker"] == pytest.approx(0.8 * said["page_costs_the_worker.in_turn"])
    assert said["page_costs_by_the_clock"] == pytest.approx(said["page_costs_the_worker"])


def test_units_are_read_but_for_the_last_if_it_was_not_written_whole(tmp_path: Path):
    path = tmp_path / "units"
    with path.open("wb") as output:
        for number in range(3):
            units.array("d", Unit(number, number + 0.5, 0.4)).tofile(output)
        output.write(b"1234567")
    found = units.read(path)
    assert [unit.clock for unit in found] == [0.5] * 3
    assert all(one.began < other.began for one, other in pairwise(found))


def test_what_is_written_again_is_as_of_then():
    value = msgspec.json.encode({"start": "2026-11-22T10:00:00Z", "late": False, "end": "2026-11-22T10:00:10.500000Z"})
    one = Written(0.0, "rollups", 0, b"k", value)
    moved = msgspec.json.decode(_moved(one.value, 60.0))
    assert moved == {"start": "2026-11-22T10:01:00.000000Z", "late": False, "end": "2026-11-22T10:01:10.500000Z"}
