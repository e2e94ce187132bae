"""What a person says of a command: throttle this, or let it go."""

from typing import Literal

import msgspec

from alerts.throttle.command import CommandScope


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """A person's word, known again by its `id`.

    It is about what `scope` names, else about the open alerts of `incident`, or the one that `anomaly` names; `tenant`
    narrows that down. `tool` blocks one tool only; `until` (epoch seconds) is when what is throttled ends.
    """

    id: str
    verdict: Literal["throttle", "release"]
    tenant: str = ""
    incident: str = ""
    anomaly: str = ""
    scope: CommandScope | None = None
    tool: str = ""
    until: float | None = None
    by: str = ""

    @property
    def who(self) -> str:
        """Name whoever said it."""
        return self.by or "somebody"
