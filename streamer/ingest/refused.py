"""Why a request is turned away as a whole."""

from collections.abc import Mapping

# Seconds after which a sender may try again.
RETRY_AFTER = "1"


class Refused(Exception):
    """Nothing of a request is taken: the status, and why. `hang_up` where the rest of its body is not waited for."""

    def __init__(
        self, status: int, why: str, headers: Mapping[str, str] | None = None, *, hang_up: bool = False
    ) -> None:
        super().__init__(why)
        self.status, self.why, self.headers, self.hang_up = status, why, headers or {}, hang_up


def busy(status: int, why: str) -> Refused:
    """Make a refusal after which the sender is to come again."""
    return Refused(status, why, {"Retry-After": RETRY_AFTER})
