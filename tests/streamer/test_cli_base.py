"""What a person types is read as meant, or refused in words."""

from datetime import timedelta

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.cli.base import Duration


@given(number=st.integers(1, 500), unit=st.sampled_from("smhdw"))
def test_a_duration_is_its_number_of_its_unit(number: int, unit: str) -> None:
    one = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}[unit]
    assert Duration().convert(f"{number}{unit}", None, None) == timedelta(seconds=number * one)


@pytest.mark.parametrize("text", ["", "8", "h", "-8h", "0h", "08h", "8 h", "8H", "1h30m", "8h\n", "٨h", "1.5h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no duration, such as 30m, 8h or 2d"):
        Duration().convert(text, None, None)


@given(number=st.integers(3654, 999_999))
def test_ten_years_is_the_most(number: int) -> None:
    with pytest.raises(click.BadParameter, match="more than ten years"):
        Duration().convert(f"{number}d", None, None)
