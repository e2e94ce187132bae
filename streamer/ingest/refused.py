"""Why a request is turned away as a whole, or items of it."""

from collections.abc import Mapping, Sequence
from typing import Any

# Seconds after which a sender may try again.
RETRY_AFTER = "1"
# Of rejected items so many are named where one line has to do.
_MOST_REASONS = 5


class Refused(Exception):
    """Nothing of a request is taken: the status, and why. `hang_up` where the rest of its body is not waited for."""

    def __init__(
        self, status: int, why: str, headers: Mapping[str, str] | None = None, *, hang_up: bool = False
    ) -> None:
        super().__init__(why)
        self.status, self.why, self.headers, self.hang_up = status, why, headers or {}, hang_up


def busy(status: int, why: str, *, hang_up: bool = False) -> Refused:
    """Make a refusal after which the sender is to come again."""
    return Refused(status, why, {"Retry-After": RETRY_AFTER}, hang_up=hang_up)


def reasons(rejected: Sequence[Mapping[str, Any]], many: int, what: str) -> str:
    """Say in one line why items were rejected, `many` in all: the first of them, by their place."""
    told = [f"{what} {item.get('item', 0)}: {item['reason']}: {item['detail']}" for item in rejected[:_MOST_REASONS]]
    return "; ".join(told + [f"and {many - len(told)} more"] * (many > len(told)))
