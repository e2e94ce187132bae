"""PagerDuty's Events API v2: an incident is one alert there, from its trigger to its end."""

import orjson
import pytest

from alerts.decide import Because
from alerts.incident import Incident
from alerts.notification import Notification
from alerts.owners import Owner
from alerts.pagerduty.client import PagerDutyReceiver
from alerts.pagerduty.event import SUMMARY, event
from alerts.receiver import DeliveryFailed
from tests.alerts.build import START, TRIAGE, alert, incident, notification
from tests.alerts.http_server import listening

OPEN, SEEN, OVER = incident(), incident(), incident(alert(), alert(state="closed", after=60))
SEEN.acknowledge("ann", START)


@pytest.mark.parametrize(
    ("told", "because", "action"),
    [
        (OPEN, "new", "trigger"),
        (OPEN, "changed", "trigger"),
        (OPEN, "repeat", "trigger"),
        (OPEN, "escalated", "trigger"),
        (SEEN, "answered", "acknowledge"),
        (OPEN, "answered", "trigger"),
        (OVER, "resolved", "resolve"),
    ],
)
async def test_an_incident_is_triggered_acknowledged_and_resolved_under_one_key(
    told: Incident, because: Because, action: str
) -> None:
    async with listening() as taken:
        receiver = PagerDutyReceiver("R0UTING", url=taken.url, timeout=5)
        assert await receiver.send(notification(told, because)) == "4e8f1c"
    body = orjson.loads(taken.bodies[0])
    assert (body["event_action"], body["dedup_key"], body["routing_key"]) == (action, "4e8f1c", "R0UTING")
    assert ("payload" in body) == (action == "trigger")


def test_a_trigger_says_who_how_bad_and_why() -> None:
    payload = event(Notification(OPEN, "pager", "new", None, Owner("search")), "R0UTING")["payload"]
    assert payload["summary"] == "🟠 acme · support · triage spends far above its usual rate"
    assert (payload["source"], payload["severity"], payload["class"]) == ("acme · support · triage", "warning", "burst")
    assert payload["timestamp"] == START.isoformat()
    assert payload["custom_details"]["owner"] == "search"
    assert "120 requests a minute" in payload["custom_details"]["why"]


def test_a_summary_is_as_long_as_pagerduty_takes_at_the_most() -> None:
    labels = {**TRIAGE, "tenant": "x" * 5000}
    assert len(event(notification(incident(alert(labels=labels))), "R0UTING")["payload"]["summary"]) == SUMMARY


async def test_what_pagerduty_does_not_understand_is_not_sent_again_and_what_is_too_much_is() -> None:
    async with listening() as taken:
        taken.answers += [(400, {}), (429, {"Retry-After": "5"})]
        receiver = PagerDutyReceiver("R0UTING", url=taken.url, timeout=5)
        found = []
        for _ in range(2):
            with pytest.raises(DeliveryFailed) as failed:
                await receiver.send(notification(OPEN))
            found.append((failed.value.permanent, failed.value.retry_after))
            assert "R0UTING" not in str(failed.value)
    assert found == [(True, None), (False, 5.0)]
