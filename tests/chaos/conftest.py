"""What every test of the suite needs: the lines, and silence."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.brokers.apache import ApacheKafka, JarsKafka
from tests.chaos.line import Line


@pytest.fixture
def lines(apache_broker: ApacheKafka) -> Iterator[list[Line]]:
    """A line for each worker that may live at a time; none where the broker is not ours."""
    with ExitStack() as stack:
        places = apache_broker.lines if isinstance(apache_broker, JarsKafka) else ()
        yield [stack.enter_context(Line(place.client, place.broker)) for place in places]


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Our own clients say a thousand times that the broker is gone, which is what we did."""
    caplog.set_level(logging.CRITICAL, "aiokafka")
