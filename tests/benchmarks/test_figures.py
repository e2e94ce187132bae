import pytest

from benchmarks import live
from benchmarks.latency import Seen, figures
from benchmarks.live import Round, Tally


def test_ratios_are_of_the_best_rounds():
    ours, theirs = ([Round(rate, 100 / rate, 1.0, right=True) for rate in rates] for rates in ((4, 8, 6), (2, 1, 2)))
    said = live.figures({"tidegate": ours, "faust": theirs})
    assert (said["live_over_faust"], said["live_per_cpu_over_faust"]) == (4, 4)
    assert said["live.tidegate.spread"] == 0.5


def test_a_contender_with_wrong_totals_is_said_to_be_wrong_and_gets_no_figure():
    said = live.figures({"tidegate": [Round(4, 1, 1, right=True)], "faust": [Round(2, 1, 1, right=False)]})
    assert said["live.faust.totals"] == "WRONG"
    assert "live_over_faust" not in said
    assert "live.faust.events_per_second" not in said


def test_a_tally_adds_up_what_either_kind_of_record_says_of_tenants():
    tally = Tally()
    tally.take(b'{"tenant": "acme", "start": 0, "tokens": 5, "usd": "0.1"}', 3.0)
    tally.take(b'{"tenant": "acme", "level": "tenant", "input_tokens": 1, "output_tokens": 2, "usd": "0.2"}', 4.0)
    tally.take(b'{"tenant": "acme", "level": "agent", "input_tokens": 7, "usd": "0.2"}', 9.0)
    (tokens, usd) = tally.totals["acme"]
    assert (tokens, str(usd), tally.last) == (8, "0.3", 4.0)


def test_latency_counts_from_the_proof_and_names_what_never_came():
    seen = Seen(
        proved={f"p{n}": 10.0 for n in range(3)},
        anomalies={f"p{n}": 10.02 for n in range(3)},
        throttle={"p0": 10.03, "p1": 10.05},
        refusal={f"p{n}": 10.06 for n in range(3)},
    )
    said = figures(seen, 1000.0)
    assert said["event_to_anomaly_p50_ms"] == pytest.approx(20)
    assert said["event_to_throttle_p50_ms"] == pytest.approx(40)
    assert (said["event_to_refusal_p99_ms"], said["latency.refusal.missing"]) == (pytest.approx(60), 0)
    assert (said["latency.anomaly.missing"], said["latency.throttle.missing"]) == (0, 1)
