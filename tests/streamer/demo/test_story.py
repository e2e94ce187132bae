"""The demo's story: steps count only after their planting, once each, and the end is all of them."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from alerts.course import Sent
from alerts.incident import Incident
from alerts.throttle.command import Action, Command, CommandReason, CommandScope
from streamer.demo.story import BURSTER, LOOPER, Chapter, Story
from streamer.records import Anomaly, AnomalyState, Rollup, Scope
from streamer.windows.totals import COUNTS
from tests.streamer.samples import NOON, NOW

DETECTORS = {"loop": "loop", "burst": "rate"}
TENANTS = {"loop": LOOPER, "burst": BURSTER}


class Told(Story):
    """A story that keeps what it says."""

    def __init__(self) -> None:
        self.said: list[str] = []
        super().__init__(self.said.append)

    def seen(self, kind: str) -> list[str]:
        return list(self.chapters[kind].seen)


def anomaly(kind: Any, tenant: str = "", state: AnomalyState = "opened") -> Anomaly:
    return Anomaly(
        id=kind,
        state=state,
        kind=kind,
        tenant=tenant or TENANTS[kind],
        scope=Scope(),
        series="",
        detector=DETECTORS[kind],
        opened_at=NOON,
        updated_at=NOON,
        severity="info",
        observed=1,
        expected=1,
        score=1,
        reason="why",
    )


def incident(kind: str, *, sent: bool = True, resolved: bool = False) -> Incident:
    return Incident(
        id=f"i-{kind}",
        receiver="owner",
        group={"tenant": TENANTS[kind], "kind": kind},
        opened_at=NOON,
        updated_at=NOON,
        sent=Sent("ref", 1, NOW, resolved) if sent else None,
    )


def command(kind: str, action: Action = "pause", tenant: str = "") -> Command:
    return Command(
        id="c",
        scope=CommandScope(tenant or TENANTS[kind]),
        action=action,
        mode="enforce",
        reason=CommandReason("i", DETECTORS[kind], "why", 1, 1, "1"),
        issued_at=NOON,
        expires_at=NOON,
        generation=1,
    )


def rollup(tenant: str, usd: str, level: str = "tenant") -> Rollup:
    counts: dict[str, Any] = {**dict.fromkeys(COUNTS, 0), "events": 3}
    return Rollup(
        series=tenant,
        level=level,
        tenant=tenant,
        scope=Scope(),
        start=NOON,
        end=NOON + timedelta(seconds=2),
        late=False,
        part=0,
        usd=Decimal(usd),
        usd_by_kind={},
        **counts,
    )


def tell(story: Story, kind: str) -> None:
    """Everything that happens to a planted trouble, in order."""
    rate = story.session_rate if kind == "loop" else lambda usd: story.on_rollup(rollup(BURSTER, str(usd)))
    rate(4)
    story.on_anomaly(anomaly(kind))
    story.on_incident(incident(kind))
    story.on_command(command(kind))
    story.on_refusals(kind, 1)
    rate(1)
    story.on_command(command(kind, "release"))
    story.on_incident(incident(kind, resolved=True))


@pytest.mark.parametrize("kind", ["loop", "burst"])
def test_all_steps_are_seen_in_their_order(kind: str) -> None:
    story = Told()
    story.planted(kind, "planted")
    tell(story, kind)
    assert story.seen(kind) == list(Chapter.STEPS)
    assert story.chapters[kind].complete
    assert len(story.said) == len(Chapter.STEPS)
    assert story.chapters[kind].incident == f"i-{kind}"


def test_nothing_counts_before_it_was_planted() -> None:
    story = Told()
    for kind in TENANTS:
        tell(story, kind)
    assert (story.seen("loop"), story.seen("burst"), story.said) == ([], [], [])


def test_the_story_is_complete_when_both_chapters_are() -> None:
    story = Told()
    for kind in TENANTS:
        assert not story.complete.is_set()
        assert story.missing()
        story.planted(kind, "planted")
        tell(story, kind)
    assert story.complete.is_set()
    assert story.missing() == []


def test_what_is_missing_is_named() -> None:
    story = Told()
    story.planted("loop", "planted")
    story.on_anomaly(anomaly("loop"))
    missing = story.missing()
    assert {"loop: told", "burst: planted"} <= set(missing)
    assert "loop: anomaly" not in missing
    assert len(missing) == 2 * len(Chapter.STEPS) - 2


def test_a_step_is_said_once_with_the_moment_at_which_it_was_first_seen() -> None:
    story = Told()
    story.planted("loop", "planted")
    for story.now in (3.0, 5.0):
        story.on_anomaly(anomaly("loop"))
    assert story.chapters["loop"].seen["anomaly"] == 3.0
    assert story.said == ["planted", "loop: why"]


def test_what_concerns_others_is_no_step() -> None:
    story = Told()
    for kind in TENANTS:
        story.planted(kind, "planted")
    story.on_anomaly(anomaly("loop", tenant="umbrella"))
    story.on_anomaly(anomaly("loop", state="updated"))
    story.on_command(command("loop", tenant="umbrella"))
    story.on_command(command("burst", tenant=LOOPER))
    story.on_incident(incident("loop", sent=False))
    story.on_refusals("loop", 0)
    assert story.seen("loop") == story.seen("burst") == ["planted"]


def test_a_rate_that_falls_before_the_gateway_obeys_is_no_step() -> None:
    story = Told()
    story.planted("loop", "planted")
    story.session_rate(4)
    story.session_rate(0)
    assert story.seen("loop") == ["planted"]
    story.on_refusals("loop", 1)
    story.session_rate(2)
    assert "rate down" not in story.seen("loop")
    story.session_rate(1.9)
    assert "rate down" in story.seen("loop")


def test_rates_are_dollars_an_hour_of_tenants_only() -> None:
    story = Told()
    story.on_rollup(rollup("umbrella", "0.01"))
    story.on_rollup(rollup("umbrella", "9", level="agent"))
    assert list(story.rates["umbrella"]) == [18.0]
    assert story.events == 3
