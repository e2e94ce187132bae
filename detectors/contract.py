"""What every detector promises; tests/detectors/test_contract.py holds each of them to it."""

from typing import Protocol


class Detector(Protocol):
    """State that can be written down and taken up again, in any process, to the byte."""

    def snapshot(self) -> bytes:
        """Write the whole state down; equal states give equal bytes."""

    def restore(self, snapshot: bytes) -> None:
        """Take up the state that `snapshot` wrote, dropping one's own."""
