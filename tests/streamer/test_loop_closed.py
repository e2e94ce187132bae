"""The loop closed in event time: meter, desk and gateway together, an agent that calls for a quarter of an hour."""

from collections import Counter
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec

from alerts.throttle.admission import Admission, Request
from alerts.throttle.command import Ack, Command
from alerts.throttle.gateway import GatewayState
from streamer.clock import utc
from streamer.config import Config
from streamer.pipeline import Output, Pipeline
from streamer.wiring import alert_of, desk_of
from tests.streamer.samples import NOW, event

CALLS = 847
POLICY = {"kind": "loop", "scope": "session", "action": "pause", "mode": "enforce"}


class Deployment:
    """One tenant's meter, the desk, and a gateway that obeys at once; time is what it is told."""

    def __init__(self, **throttle: Any) -> None:
        config = Config.model_validate({"throttle": {"policies": [POLICY], **throttle}})
        self.pipeline, self.desk = Pipeline(config), desk_of(config)
        self.state = GatewayState()
        self.admission = Admission(self.state)
        self.commands: list[Command] = []
        self.events = Counter[str]()

    def call(self, session: str, second: float, **fields: Any) -> bool:
        """One agent's call at a second: through the gateway, and if it lets it, metered."""
        now = NOW + second
        if not self.admission.decide(Request(tenant="acme", session=session), now).allowed:
            return False
        self.events[session] += 1
        used = event(f"{session}-{second}", second, session=session, kind="tool", cost_usd=Decimal("0.01"), **fields)
        self._follow(self.pipeline.submit([used], now), now)
        return True

    def tick(self, second: float) -> None:
        self._follow(self.pipeline.tick(NOW + second), NOW + second)

    def _follow(self, output: Output, now: float) -> None:
        assert not output.failed
        changes = [c for anomaly in output.anomalies for c in self.desk.submit(alert_of(anomaly), now)]
        for change in [*changes, *self.desk.tick(now)]:
            value = msgspec.json.encode(change.command) if change.command else None
            command = self.state.apply(change.key, value, now)
            if command:
                self.commands.append(command)
                state: Any = "released" if command.action == "release" else "applied"
                self.desk.acknowledge(Ack(command=command.id, gateway="edge", state=state, at=utc(now)), now)


def test_of_847_calls_one_a_second_fewer_than_15_reach_the_model_and_others_are_untouched() -> None:
    """The agent never gives up; each time that it is let go, it proves itself again, and is held for twice as long."""
    found, other = Deployment(), 0
    for second in range(CALLS):
        found.call("stuck", second, tool="search", tool_args_hash="same")
        other += found.call("other", second + 0.5, tool="search", tool_args_hash=f"{second}")
        found.tick(second + 0.9)
    assert found.events["stuck"] < 15
    assert other == CALLS
    assert {command.scope.session for command in found.commands} == {"stuck"}
    lengths = [
        (then.issued_at - command.issued_at).total_seconds()
        for command, then in pairwise(found.commands)
        if (command.action, then.action) == ("pause", "release")
    ]
    assert len(lengths) >= 3
    assert all(later > sooner * 1.9 for sooner, later in pairwise(lengths))


def test_an_agent_that_behaves_is_let_go_and_the_incident_tells_what_was_saved() -> None:
    found = Deployment()
    reached = sum(found.call("stuck", second, tool="search", tool_args_hash="same") for second in range(60))
    assert reached == 6
    for second in range(60, 120):
        found.tick(second)
    assert [command.action for command in found.commands] == ["pause", "release"]
    assert found.call("stuck", 121, tool="fetch", tool_args_hash="new")
    (incident,) = found.desk.dispatcher._incidents
    # A cent a second for the minute that it was stopped; the first five seconds hold six calls.
    assert 0.5 < float(incident.usd_saved) < 0.8
    assert "it saved about $0." in incident.notes[-2]
    assert "(an estimate)" in incident.notes[-2]
    assert incident.state == "resolved"
