"""One thing that was looked at, and what came of it."""

from typing import Literal

import msgspec

Grade = Literal["good", "look", "bad"]
_SIGNS: dict[Grade, str] = {"good": "ok  ", "look": "look", "bad": "BAD "}


class Finding(msgspec.Struct, frozen=True):
    """What stands, and, where it is not good, what to do. Only `bad` ones make a check fail."""

    grade: Grade
    what: str
    todo: str = ""

    def line(self) -> str:
        """Say it in a line.

        >>> Finding("bad", "topic a is missing", "create it").line()
        'BAD   topic a is missing: create it'
        """
        return f"{_SIGNS[self.grade]}  {self.what}" + (f": {self.todo}" if self.todo else "")
