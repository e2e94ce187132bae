"""A short run of the fuzzer; `python -m benchmarks.fuzz` has no end."""

from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fuzz import __main__ as fuzz
from benchmarks.fuzz import promises, spoiling
from benchmarks.fuzz.seeds import MARKER, Seed, seeds
from streamer.events.decoder import Decoder
from streamer.events.usage import UsageEvent

SEEDS = seeds()
DECODER = Decoder(hash_key="k", max_record_bytes=1 << 20)


@settings(max_examples=250)
@given(st.randoms(use_true_random=False))
def test_a_spoiled_record_of_any_format_keeps_every_promise(chance: Random) -> None:
    seed, readable = spoiling.spoil(SEEDS, chance)
    promises.check(DECODER, seed, readable=readable)


@settings(max_examples=100)
@given(st.data())
def test_any_json_in_the_place_of_any_value_keeps_every_promise(data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from([seed for seed in SEEDS if seed.items]))
    item = orjson.loads(data.draw(st.sampled_from(seed.items or [])))
    holder, name = data.draw(st.sampled_from(list(spoiling._places(item))))
    holder[name] = data.draw(JSON)
    promises.check(DECODER, seed._replace(record=orjson.dumps(item)), readable=True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"{len(seed.record)}")
def test_no_planted_word_of_an_unspoiled_record_gets_through(seed: Seed) -> None:
    found = promises.check(DECODER, seed, readable=True)
    assert any(isinstance(item, UsageEvent) for item in found)


def test_words_are_planted_in_every_format() -> None:
    planted = [seed for seed in SEEDS if MARKER in seed.record]
    assert len(planted) >= 12


class Careless:
    """A decoder that breaks its promises, each in its way."""

    def __init__(self, breach: Any) -> None:
        self._breach = breach

    def decode(self, record: bytes, now: float, headers: Any = None) -> Any:
        return self._breach(DECODER.decode(record, now, headers), record)


def _raise(*_: Any) -> Any:
    raise KeyError("x")


@pytest.mark.parametrize("breach", [_raise, lambda found, record: [], lambda found, record: [*found, record]])
def test_a_broken_promise_is_found(breach: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(promises, "Decoder", lambda **_: Careless(breach))
    with pytest.raises(promises.BrokenPromise):
        fuzz.run(10, 1, tmp_path / "record")
    assert (tmp_path / "record").exists()


def test_memory_that_grows_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    held = iter([100 << 20, 150 << 20, 200 << 20])
    monkeypatch.setattr(promises.cpu, "resident", lambda _: next(held))
    memory = promises.Memory()
    memory.look(0)
    memory.look(20_000)
    memory.look(20_001)
    memory.look(40_000)
    assert (memory.warm >> 20, memory.most >> 20) == (100, 150)
    with pytest.raises(promises.BrokenPromise, match="from 100 to 200 MB in 60000 records"):
        memory.look(60_000)


def test_the_command_says_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz.main(["--seconds", "0.3", "--seed", "7"]) == 0
    said = capsys.readouterr().out
    assert "seed 7" in said
    assert "records" in said
