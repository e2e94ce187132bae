"""Fixtures of the streamer's tests."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def payloads(shared_data: Path) -> Path:
    """The folder of real payloads."""
    return shared_data / "payloads"
