"""Configurations tried on the same data: compared, held against labels, tuned."""

import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config import Config
from streamer.errors import SourceUnreadable, Stopped
from streamer.records import Anomaly, AnomalyKind, Scope
from streamer.replay import backtest, compare, tune
from streamer.replay.backtest import Judgement, Margins, Outcome, Truth, figures_of
from streamer.replay.extent import Control
from streamer.replay.feed import Job
from streamer.replay.labels import Label, read_labels
from streamer.replay.trial import Side, Trial
from streamer.replay.tune import FACTORS, Aim, Effect, Tuned, best, settings_of, sides_of, with_settings
from tests.streamer.replay.data import CONFIG, Row, day, replayed, write
from tests.streamer.samples import NOON

pytestmark = pytest.mark.slow

PATIENT = CONFIG.model_copy(
    update={"detect": CONFIG.detect.model_copy(update={"loop": CONFIG.detect.loop.model_copy(update={"repeats": 9})})}
)
DEAF = CONFIG.model_copy(
    update={
        "detect": CONFIG.detect.model_copy(update={"loop": CONFIG.detect.loop.model_copy(update={"enabled": False})})
    }
)
BEGUN, ENDED = NOON + timedelta(seconds=180), NOON + timedelta(seconds=180 + 19 * 1.5)
LABEL = Label(tenant="acme", start=BEGUN, end=ENDED, kind="loop", session="runaway")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("trials"), "day.jsonl", day())


def compared(source: Path, out: Path, *configs: Config) -> tuple[list[str], list[Row]]:
    named = [(f"{place}.toml", config) for place, config in enumerate(configs)]
    said = list(compare.run(Job((str(source),), configs[0]), named, out, Control()))
    return said, orjson.loads((out / "compare.json").read_bytes())


def test_a_configuration_beside_itself_changes_nothing(source: Path, tmp_path: Path) -> None:
    _, (found,) = compared(source, tmp_path, CONFIG, CONFIG)
    assert found["sums"]["before"] == found["sums"]["after"]
    assert (found["gained"], found["lost"], found["earlier"], found["later"], found["same"]) == ([], [], [], [], 1)


def test_what_fails_leaves_what_was_there_and_nothing_unfinished(source: Path, tmp_path: Path) -> None:
    compared(source, tmp_path, CONFIG, CONFIG)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(before) == ["compare.html", "compare.json"]
    with pytest.raises(Stopped):
        list(compare.run(Job((str(source),), CONFIG), [("a", CONFIG)] * 2, tmp_path, Control(lambda: False)))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_calmer_threshold_knows_later_and_a_sharper_one_earlier(source: Path, tmp_path: Path) -> None:
    _, (calmer,) = compared(source, tmp_path, CONFIG, PATIENT)
    (later,) = calmer["later"]
    assert (later["kind"], later["seconds"]) == ("loop", 3 * 1.5)
    _, (sharper,) = compared(source, tmp_path, PATIENT, CONFIG)
    assert sharper["earlier"][0]["seconds"] == 3 * 1.5
    assert calmer["sums"]["after"] == sharper["sums"]["before"]


def test_what_is_no_longer_found_is_lost_with_its_messages_and_dollars(source: Path, tmp_path: Path) -> None:
    said, (found,) = compared(source, tmp_path, CONFIG, DEAF)
    assert [case["series"] for case in found["lost"]] == ["tenant=acme/session=runaway#loop"]
    before, after = found["sums"]["before"], found["sums"]["after"]
    assert (before["messages"], after["messages"]) == (2, 0)
    assert float(before["caught"]) > float(after["caught"]) == 0
    assert any("lost 2026-11-22 12:03:07 loop" in line for line in said)
    assert "tenant=acme/session=runaway#loop" in (tmp_path / "compare.html").read_text(encoding="utf-8")


def test_one_reading_of_several_configurations_is_a_replay_of_each(source: Path, tmp_path: Path) -> None:
    _, found = compared(source, tmp_path / "c", CONFIG, PATIENT, DEAF)
    for config, place in ((PATIENT, 0), (DEAF, 1)):
        replayed(tmp_path / "out", source, config=config)
        summary = orjson.loads((tmp_path / "out" / "summary.json").read_bytes())
        assert found[place]["sums"]["after"]["messages"] == summary["messages"]
        assert found[place]["sums"]["after"]["commands"] == summary["commands"]


def held_against(source: Path, out: Path, *labels: Label, config: Config = CONFIG) -> tuple[list[str], Row]:
    said = list(backtest.run(Job((str(source),), config), Truth(labels), out, Control()))
    return said, orjson.loads((out / "backtest.json").read_bytes())


def test_a_label_that_is_found_in_time_counts(source: Path, tmp_path: Path) -> None:
    said, found = held_against(source, tmp_path, LABEL)
    whole = found["all"]
    assert (whole["recall"], whole["precision"], whole["named"], whole["false_alarms"]) == (1.0, 1.0, 1, 0)
    assert whole["delay_median"] == 5 * 1.5
    assert whole["tenant_days"] == pytest.approx(2 * 600 / 86_400, rel=0.05)
    assert said[-2].startswith("  loop")


def test_a_label_that_nothing_finds_is_missed_and_its_dollars_are_lost(source: Path, tmp_path: Path) -> None:
    _, found = held_against(source, tmp_path, LABEL, config=DEAF)
    assert (found["all"]["recall"], found["all"]["precision"]) == (0.0, None)
    (missed,) = found["missed"]
    assert (missed["session"], missed["kind"]) == ("runaway", "loop")
    # All 20 calls of the session, at 0.002 dollars each; its last window begins before the label's end.
    assert float(found["all"]["usd_lost"]) == pytest.approx(0.04)


def test_an_alarm_that_no_label_explains_is_false(source: Path, tmp_path: Path) -> None:
    other = Label(tenant="beta", start=NOON, end=NOON + timedelta(seconds=60))
    _, found = held_against(source, tmp_path, other)
    assert (found["all"]["false_alarms"], found["all"]["found"]) == (1, 0)
    assert found["all"]["false_alarms_a_tenant_day"] > 50


def test_an_alarm_of_one_session_is_not_that_of_another(source: Path, tmp_path: Path) -> None:
    other = msgspec.structs.replace(LABEL, session="quiet")
    _, found = held_against(source, tmp_path, other)
    assert (found["all"]["found"], found["all"]["false_alarms"]) == (0, 1)


def test_an_alarm_soon_after_a_label_is_neither_right_nor_false(source: Path, tmp_path: Path) -> None:
    before = Label(tenant="acme", start=NOON, end=NOON + timedelta(seconds=30))
    truth = Truth([before], Margins(grace=10.0, recovery=600.0))
    list(backtest.run(Job((str(source),), CONFIG), truth, tmp_path, Control()))
    found = orjson.loads((tmp_path / "backtest.json").read_bytes())["all"]
    assert (found["found"], found["false_alarms"], found["alarms"]) == (0, 0, 0)


@pytest.mark.parametrize("other", [{"session": "healthy"}, {"session": "", "kind": "burst"}])
def test_of_two_labels_at_a_time_an_alarm_is_that_of_its_own_session_and_kind(
    other: dict[str, Any], source: Path, tmp_path: Path
) -> None:
    _, found = held_against(source, tmp_path, msgspec.structs.replace(LABEL, **other), LABEL)
    assert (found["all"]["found"], found["all"]["named"], found["all"]["false_alarms"]) == (1, 1, 0)
    (missed,) = found["missed"]
    assert {name: missed[name] for name in other} == other


def test_labels_of_other_tenants_and_times_are_left_out_and_said(source: Path, tmp_path: Path) -> None:
    elsewhere = Label(tenant="nobody", start=NOON, end=ENDED)
    past = Label(tenant="acme", start=NOON - timedelta(days=2), end=NOON - timedelta(days=1))
    said, found = held_against(source, tmp_path, LABEL, elsewhere, past)
    assert said[1].startswith("2 labels are of tenants or times that the data do not have")
    assert found["all"]["labels"] == 1


def test_labels_are_read_from_csv_and_json_lines(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        f"tenant,kind,start,end,session\nacme,loop,{BEGUN.isoformat()},{ENDED.isoformat()},runaway\n"
    )
    (tmp_path / "a.jsonl").write_text(
        f'{{"tenant":"acme","start":"{BEGUN.isoformat()}","end":"{ENDED.isoformat()}"}}\n\n'
    )
    assert read_labels(tmp_path / "a.csv") == [LABEL]
    assert read_labels(tmp_path / "a.jsonl") == [Label(tenant="acme", start=BEGUN, end=ENDED)]


@pytest.mark.parametrize(
    "line", [",,2026-01-01T00:00:00Z,2026-01-02T00:00:00Z", "a,storm,2026-01-01T00:00:00Z,2026-01-02T00:00:00Z",
             "a,,yesterday,2026-01-02T00:00:00Z", "a,,2026-01-02T00:00:00Z,2026-01-01T00:00:00Z"],
)  # fmt: skip
def test_a_bad_label_is_named_by_file_and_row(line: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"tenant,kind,start,end\n{line}\n")
    with pytest.raises(SourceUnreadable, match=r"a\.csv, row 2: "):
        read_labels(tmp_path / "a.csv")


def test_a_kind_that_there_is_not_is_answered_with_those_that_there_are(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"tenant,kind,start,end\nacme,loops,{BEGUN.isoformat()},{ENDED.isoformat()}\n")
    with pytest.raises(SourceUnreadable, match="there is no kind loops; the kinds are burst, loop, "):
        read_labels(tmp_path / "a.csv")


def test_a_name_that_no_label_has_is_refused_for_it_may_be_one_that_is_misspelt(tmp_path: Path) -> None:
    since, until = BEGUN.isoformat(), ENDED.isoformat()
    (tmp_path / "a.csv").write_text(f"tenant,usecase,start,end\nacme,,{since},{until}\n")
    (tmp_path / "a.jsonl").write_text(f'{{"tenant":"acme","usecase":"x","start":"{since}","end":"{until}"}}\n')
    (tmp_path / "more.csv").write_text(f"tenant,start,end\nacme,{since},{until},loop\n")
    for name, unknown in (("a.csv", "usecase"), ("a.jsonl", "usecase"), ("more.csv", r"\(none\)")):
        with pytest.raises(SourceUnreadable, match=rf"{name}, row \d: no label has {unknown}; it has tenant, start"):
            read_labels(tmp_path / name)


def test_a_byte_order_mark_before_labels_is_passed_over(tmp_path: Path) -> None:
    line = f'{{"tenant":"acme","start":"{BEGUN.isoformat()}","end":"{ENDED.isoformat()}"}}\n'
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + line.encode())
    assert read_labels(tmp_path / "a.jsonl") == [Label(tenant="acme", start=BEGUN, end=ENDED)]


def case(kind: AnomalyKind, tenant: str = "acme", **fields: Any) -> Anomaly:
    known = {"series": "s", "detector": "d", "severity": "info", "observed": 1.0, "expected": 1.0, "score": 1.0}
    at = {"opened_at": BEGUN, "updated_at": BEGUN}
    return Anomaly(id="1", kind=kind, tenant=tenant, scope=Scope(), reason="", **{**known, **at, **fields})


def judgement(found: int, false: int, of: int = 4, kind: AnomalyKind = "burst") -> Judgement:
    outcomes = [Outcome(LABEL, [case(kind)] if place < found else [], backtest.ZERO) for place in range(of)]
    return Judgement(outcomes, [case(kind)] * false)


def test_figures_are_what_their_names_say() -> None:
    figures = figures_of(judgement(3, 2), 10.0)
    assert (figures.precision, figures.recall, figures.false_a_day) == (3 / 5, 3 / 4, 0.2)
    assert figures_of(Judgement([], []), 0.0).precision is None


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=6, max_size=6), st.floats(0, 6))
def test_the_best_choice_finds_the_most_that_the_budget_allows(rows: list[tuple[int, int]], most: float) -> None:
    judged = {factor: judgement(*row) for factor, row in zip(FACTORS, rows, strict=True)}
    chosen = best(judged, 1.0, Aim(most))
    if not any(found or false for found, false in rows):
        assert chosen == {}
        return
    found, false = dict(zip(FACTORS, rows, strict=True))[chosen["burst"]]
    allowed = [row for row in rows if row[1] <= most]
    if allowed:
        assert false <= most
        assert found == max(row[0] for row in allowed)
    else:
        assert false == min(row[1] for row in rows)


def test_settings_are_what_a_choice_of_factors_makes_of_the_present_ones() -> None:
    settings = settings_of(Config(), {"burst": 2.0, "loop": 0.25})
    assert settings["loop.repeats"] == 3
    assert 1 < Config().detect.burst.counts.ratio < settings["burst.counts.ratio"]
    changed = with_settings(Config(), settings)
    assert changed.detect.loop.repeats == 3
    assert changed.detect.drift == Config().detect.drift
    assert settings_of(Config(), {}) == {}


def test_tuning_under_a_budget_writes_a_configuration_with_its_figures(tmp_path: Path) -> None:
    """A harmless polling session of each tenant is a false alarm at 6 calls; the loop that is meant has 20."""
    rows, labels = [], []
    for n in range(6):
        rows += [{**row, "tenant": f"{row['tenant']}{n}", "id": f"{row['id']}/{n}"} for row in day()]
        rows += [
            {**rows[-1], "id": f"poll-{n}-{k}", "session": "poller", "kind": "tool", "tool": "poll", "agent": "triage",
             "tool_args_hash": "bb", "tenant": f"acme{n}", "time": (NOON + timedelta(seconds=20 + k)).isoformat()}
            for k in range(7)
        ]  # fmt: skip
        labels.append(Label(tenant=f"acme{n}", start=BEGUN, end=ENDED, kind="loop", session="runaway"))
    rows.sort(key=lambda row: row["time"].replace("+00:00", "Z"))
    source = write(tmp_path, "day.jsonl", rows)
    truth = Truth(labels, Margins(10.0, 10.0))
    out = tmp_path / "tuned.toml"
    said = list(tune.run(Job((str(source),), CONFIG), truth, Aim(0.0, 0.4), out, Control()))
    assert "recall 100% -> 100%" in said[0]
    assert said[0].endswith("-> 0.00")
    text = out.read_text()
    assert tomllib.loads(text)["detect"]["loop"]["repeats"] > CONFIG.detect.loop.repeats
    assert "# Expected, with the tenants held out:" in text
    assert "# Expected, in the time after:" in text
    assert "figures prove little" in text
    assert with_settings(CONFIG, {"loop.repeats": tomllib.loads(text)["detect"]["loop"]["repeats"]})


def test_settings_that_do_not_carry_over_are_said_to_overfit() -> None:
    good, bad = figures_of(judgement(9, 0, 10), 10.0), figures_of(judgement(5, 9, 10), 10.0)
    tried, later = Effect("where it was tuned", good, good), Effect("in the time after", good, bad)
    said = list(Tuned({}, tried, [tried, later]).warnings(0.5))
    assert said == [
        "would overfit: 90% are found where it was tuned, 50% in the time after",
        "would overfit: 0.90 false alarms a tenant-day in the time after, of 0.5 that are wanted at most",
    ]
    assert list(Tuned({}, tried, [tried]).warnings(0.5)) == []


@given(
    st.dictionaries(st.text(max_size=3), st.just((0.0, 100.0)), min_size=1, max_size=20),
    st.floats(0, 0.9),
    st.floats(0, 0.9),
)
def test_every_moment_of_every_tenant_is_on_one_side_and_there_is_always_one_to_tune_on(
    spans: dict[str, tuple[float, float]], held_out: float, later: float
) -> None:
    sides = sides_of(spans, Aim(0.5, held_out, later))
    for tenant in spans:
        for at in (0.0, 50.0, 99.0):
            assert sum(side.has(tenant, at) for side in sides.values()) == 1
    assert sum(watched(side, spans) for side in sides.values()) == pytest.approx(len(spans) * 100)
    assert any(sides["where it was tuned"].has(tenant, 0.0) for tenant in spans)
    assert len(sides.get("with the tenants held out", Side(frozenset())).tenants or ()) == int(held_out * len(spans))


def watched(side: Side, spans: dict[str, tuple[float, float]]) -> float:
    trial = Trial(Config())
    trial.spans = spans
    return trial.tenant_days(side) * 86_400


def test_what_is_found_only_later_is_no_part_of_the_search_and_is_told(tmp_path: Path) -> None:
    """Harmless polling in the last third of the time speaks against settings that know nothing of it."""
    rows = day()
    rows += [
        {**rows[-1], "id": f"poll-{k}", "session": "poller", "kind": "tool", "tool": "poll", "tool_args_hash": "bb",
         "tenant": "acme", "time": (NOON + timedelta(seconds=500 + k)).isoformat()} for k in range(7)
    ]  # fmt: skip
    rows.sort(key=lambda row: row["time"].replace("+00:00", "Z"))
    truth, out = Truth([LABEL], Margins(10.0, 10.0)), tmp_path / "tuned.toml"
    job = Job((str(write(tmp_path, "day.jsonl", rows)),), CONFIG)
    said = list(tune.run(job, truth, Aim(0.0, 0.0, 0.3), out, Control()))
    assert said[0].startswith("where it was tuned: recall 100% -> 100%, false alarms a tenant-day 0.00 -> 0.00")
    assert said[1].startswith("in the time after: recall - -> -, false alarms a tenant-day")
    assert not said[1].endswith("0.00")
    assert any("would overfit" in line and "in the time after" in line for line in said)
