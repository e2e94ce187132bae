"""Fixtures of the streamer's tests: the real payloads, which CI must have and others may lack."""

import os
from pathlib import Path

import pytest

from tests.streamer.samples import PAYLOADS


@pytest.fixture(scope="session")
def payloads() -> Path:
    """The folder of real payloads."""
    if not PAYLOADS.is_dir():
        reason = f"the real payloads are not in {PAYLOADS}"
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI needs them: {reason}")
        pytest.skip(reason)
    return PAYLOADS
