"""What is handed over between the streams and the alerts."""

from hypothesis import given
from hypothesis import strategies as st

from streamer.feedback import Feedback
from streamer.records import Scope
from streamer.windows.entity import Entity
from streamer.wiring import word_of
from tests.streamer.samples import NOON

NAMES = st.text(min_size=1, max_size=8)


@given(NAMES, NAMES, NAMES)
def test_a_word_on_a_series_is_about_what_the_series_names(tenant: str, use_case: str, agent: str) -> None:
    series = f"{Entity('agent', use_case=use_case, agent=agent).key(tenant)}#requests"
    said = Feedback(id="1", time=NOON, verdict="mute", tenant=tenant, series=series)
    assert word_of(said).scope == {"tenant": tenant, "use_case": use_case, "agent": agent}


def test_a_word_on_an_anomaly_is_about_that_whatever_its_series() -> None:
    series = "tenant=acme/agent=triage#requests"
    said = Feedback(id="1", time=NOON, verdict="mute", tenant="acme", anomaly="a1", series=series)
    assert word_of(said).scope == {"tenant": "acme"}


def test_what_a_word_names_itself_comes_before_its_series() -> None:
    series = "tenant=globex/agent=triage#requests"
    said = Feedback(id="1", time=NOON, verdict="mute", tenant="acme", series=series, scope=Scope(agent="writer"))
    assert word_of(said).scope == {"tenant": "acme", "agent": "writer"}
