from datetime import datetime

import msgspec
import pytest

from benchmarks import live, page
from benchmarks.latency import Seen, figures
from benchmarks.live import Round, Tally
from benchmarks.page import Mark, Spent


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


def test_what_the_page_costs_is_the_share_of_what_a_cpu_second_of_the_worker_carries():
    blocks = [
        (Spent(80e-6, 50e-6), Spent(60e-6, 49e-6)),
        (Spent(80e-6, 60e-6), Spent(40e-6, 58.8e-6)),
        (Spent(80e-6, 55e-6), Spent(60e-6, 40e-6)),
    ]
    said = page.figures(page.Watched(answers=80, page_cpu=3.0, page_ran=20.0, blocks=blocks))
    assert said["page_costs_the_worker"] == pytest.approx(0.02)
    assert said["page_costs_the_worker.error"] > 0.05
    assert said["page_costs_by_the_clock"] == pytest.approx(0.25)
    assert (said["page.answers"], said["page.cpus"]) == (80, 0.15)
    assert said["page.worker_us_an_event.with"] == pytest.approx(55)


def test_what_an_event_took_is_of_the_events_that_were_really_counted():
    assert page.spent(Mark(10.0, 5_000, 3.0), Mark(14.0, 105_000, 6.0)) == pytest.approx((40e-6, 30e-6))


def test_a_backlog_ends_now_and_comes_at_an_even_pace():
    times = [datetime.fromisoformat(msgspec.json.decode(value)["time"]) for _, value in page.backlog(8_001, 1e9)]
    assert (times[-1].timestamp(), (times[-1] - times[0]).total_seconds()) == (pytest.approx(1e9, abs=1e-3), 2.0)
