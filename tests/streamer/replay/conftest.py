"""Pictures are most of what a short replay costs, so only the tests that look at reports have them drawn."""

from collections.abc import Iterator

import pytest

from streamer.replay import command

#: The module whose tests look at reports.
_LOOKING = ("test_report", "test_report_large")


@pytest.fixture(scope="module", autouse=True)
def _drawn(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if not request.module.__name__.endswith(_LOOKING):
            patch.setattr(command, "write_report", lambda *_: b"")
        yield
