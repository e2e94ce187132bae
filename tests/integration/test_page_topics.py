"""The page reads real brokers' topics from its start, and writes what people do where the worker reads it."""

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import Broker
from tests.integration.deployment import Deployment, Process, until
from tests.integration.events import record, usage
from tests.integration.page_life import BUDGETS, life

pytestmark = pytest.mark.integration


def asked(page: Process, path: str, body: Any = None, **headers: str) -> Any:
    """What the page answers."""
    sent = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(page.url + path, json.dumps(body).encode() if body else None, sent)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_what_was_there_before_is_shown_and_an_action_reaches_the_topic(broker: Broker, tmp_path: Path) -> None:
    deployment = Deployment(broker, tmp_path, WINDOWS__SIZE_SECONDS="10", PAGE__RATE_SECONDS="20", BUDGETS=BUDGETS)
    made = deployment.command("topics", "--create")
    assert made.returncode == 0, made.stdout + made.stderr
    for topic, records in life(time.time()):
        deployment.produce(f"{deployment.group}.{topic}", records)
    with deployment.running("page") as page:
        until(lambda: len(asked(page, "/api/overview")["incidents"]["rows"]) == 2, "the incidents")
        overview = asked(page, "/api/overview")
        assert float(overview["totals"]["spent"]) > 30
        assert [(one["action"], len(one["acks"])) for one in overview["commands"]] == [("limit_rate", 2)]
        assert [one["line"] for one in overview["budgets"]] == ["soft", ""]
        csrf = asked(page, "/api/me")["csrf"]
        action = {"verdict": "false_alarm", "incident": "b"}
        done = asked(page, "/api/actions", action, **{"X-Tidegate-Csrf": csrf})
        said = deployment.consume_until(
            lambda found: bool(found[deployment.topics.feedback]), deployment.topics.feedback
        )
        record = said[deployment.topics.feedback][0]
        assert (record["id"], record["verdict"], record["incident"], record["by"]) == (
            done["id"],
            *action.values(),
            "local",
        )
        until(lambda: bool(asked(page, "/api/incidents/b")["answers"]), "the page to hear of it")
        assert page.metric("tidegate_page_actions_total", verdict="false_alarm", outcome="written") == 1
        assert page.terminate() == 0


def test_what_the_worker_says_of_usual_repeats_and_budgets_is_shown(broker: Broker, tmp_path: Path) -> None:
    budget = '[{"tenant": "acme", "limit": 100}, {"tenant": "globex", "limit": 5}]'
    learning = {"DETECT__BURST__WARM_UP_SECONDS": "4", "WINDOWS__SIZE_SECONDS": "2"}
    deployment = Deployment(broker, tmp_path, BUDGETS=budget, PAGE__HISTORY_SECONDS="600", **learning)
    now = time.time()
    events = [usage(n, tenant="acme", at=now - 240 + n, cost_usd="0.10", session="") for n in range(240)]
    with deployment.running(), deployment.running("page") as page:
        deployment.produce(deployment.topics.usage, [record(one) for one in [*events, *events[-5:], *events[:5]]])

        def shown() -> bool:
            overview = asked(page, "/api/overview")
            chart = asked(page, "/api/chart?key=tenant%3Dacme&metric=usd")
            used = {one["tenant"]: float(one["used"]) for one in overview["budgets"]}
            return used == {"acme": 24.0, "globex": 0} and overview["quality"]["repeats"] == 10 and bool(chart["usual"])

        until(shown, "the page to show it")
        chart = asked(page, "/api/chart?key=tenant%3Dacme&metric=usd")
        _, low, expected, high, ceiling = chart["usual"][-1]
        # Two events of 10 cents in each window of 2 seconds are $360 an hour.
        assert low < expected < high <= ceiling
        assert 300 < expected < 420
