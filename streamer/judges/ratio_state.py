"""What the ratios of an entity are called, how they are judged, and what is written down of them."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from detectors import RatioParams

RatioName = Literal["size", "output", "overall", "growth", "price", "uncached", "evaluation"]
#: `output` is the tokens that come out alone, and `overall` the geometric mean of them and of all, which varies less.
#: `growth` is the size once more, with more patience and a lower gate: it sees what grows slowly, or not by much, or
#: within sessions.
RATIOS: tuple[RatioName, ...] = ("size", "output", "overall", "growth", "price", "uncached", "evaluation")
#: Learned as they come, `size` and `overall` session by session, `output` in each window of each; all others by slices.
ONE_BY_ONE: tuple[RatioName, ...] = ("size", "output", "overall")
#: Of which the tokens of a request are told.
TOLD_AS_SIZE: tuple[RatioName, ...] = ("size", "overall", "growth")
# Sized, size, priced, price; see `Unit`.
WrittenUnit = tuple[int, float, int, float]
# Sessions, others, six counts, three amounts; see `Slice`.
WrittenSlice = tuple[dict[str, WrittenUnit], WrittenUnit, int, int, int, int, int, int, float, float, float]


class RatiosConfig(msgspec.Struct, frozen=True):
    """How a tenant's ratios are judged; `enough` units make a slice, and a ratio is known after `known` of them."""

    params: Mapping[RatioName, RatioParams]
    share: RatioParams
    enough: int
    known: int


class RatiosState(msgspec.Struct, array_like=True):
    """What is written down of `Ratios`: when it was last judged (a number of windows), the slice, the baselines."""

    judged: int
    slice: WrittenSlice
    baselines: dict[RatioName, bytes]
    combination: bytes
