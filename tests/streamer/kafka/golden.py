"""The golden state: what the worker's stages write down after a given stretch of usage, as a backup of it.

`python -m tests.streamer.kafka.golden` writes it for the present layout, and leaves those of older layouts alone. One
that is there is only written anew with `--unreleased`: while no release has written that layout.
"""

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from faust.types import TP

from streamer.config import Config, PolicyConfig, ThrottleConfig
from streamer.events.decoder import Decoder
from streamer.events.usage import UsageEvent
from streamer.feedback import Feedback
from streamer.kafka.checkpoint import Checkpoints, layout_of
from streamer.kafka.layout import LAYOUT
from streamer.kafka.stage import Out, Stage
from streamer.kafka.stages import AlertStage, MeterStage
from streamer.kafka.topics import Topics, changelog
from streamer.operate.backup_file import About, Backup, save
from streamer.pipeline import Pipeline
from streamer.web.metrics import Metrics
from streamer.wiring import desk_of
from tests.streamer.kafka.fakes import Fake
from tests.streamer.samples import NOON, NOW, event
from tests.streamer.test_pipeline import NERVOUS

GROUP, TOPICS = "tidegate", Topics.named("tidegate.")
FOLDER = Path(__file__).parent / "golden"
POLICY = PolicyConfig(kind="loop", scope="session", action="pause", mode="enforce")
CONFIG = Config.model_validate(
    {
        **{name: getattr(NERVOUS, name) for name in Config.model_fields},
        # As layout 1 was written: or it would have closed windows that are still open where nothing was interrupted.
        "windows": NERVOUS.windows.model_copy(update={"stagger_seconds": 0.0}),
        "throttle": ThrottleConfig(policies=(POLICY,)),
    }
)
# Seconds of usage before the state is written down, and after.
BEFORE, AFTER = 4000, 60
TENANTS = ("acme", "beta")


def file_of(layout: int) -> Path:
    """Where the golden state of a layout is."""
    return FOLDER / f"layout-{layout}.zst"


def usage(since: int, until: int) -> Iterator[UsageEvent]:
    """The usage of some seconds: models and tools, an agent that repeats a call, outcomes, ids that come twice."""
    for second in range(since, until):
        if second % 10 == 0:
            for tenant in TENANTS:
                yield _event(tenant, second)
                if second % 60 == 0:
                    yield _event(tenant, max(0, second - 20))  # a repeat
                if second % 400 == 30:
                    yield event(f"{tenant}-o{second}", second, tenant=tenant, kind="outcome", use_case="support")
        if second > BEFORE - 20:
            call: dict[str, Any] = {"kind": "tool", "tool": "search", "tool_args_hash": "aa", "tool_calls": 1}
            yield event(f"loop-{second}", second, use_case="support", agent="triage", session="runaway", **call)


def _event(tenant: str, second: int) -> UsageEvent:
    return event(
        f"{tenant}-{second}",
        second,
        tenant=tenant,
        use_case="support",
        agent="triage" if second % 30 else "writer",
        session=f"s{second // 250}",
        provider="openai",
        model="gpt-4o" if second % 50 else "gpt-4o-mini",
        input_tokens=400 + 37 * (second // 10 % 11),
        output_tokens=50 + 13 * (second // 10 % 7),
        requests=1,
        steps=1,
    )


class Stages:
    """The meter of one partition and the alerts, as a worker has them."""

    def __init__(self) -> None:
        metrics = Metrics()
        self.meter = MeterStage(Decoder(feedback=True), Pipeline(CONFIG), TOPICS, metrics, 0)
        self.alerts = AlertStage(desk_of(CONFIG), TOPICS, metrics)

    def run(self, since: int, until: int) -> list[Out]:
        """Work through some seconds of usage; gives all that comes of it."""
        outs = [out for one in usage(since, until) for out in self._take(one)]
        return [*outs, *self.meter.tick(NOW + until), *self.alerts.tick(NOW + until)]

    def hush(self, at: int) -> None:
        """Have somebody mute a tenant's bursts."""
        word = Feedback(id="w", time=_moment(at), verdict="mute", by="ann", tenant="beta", until=_moment(at + 900))
        list(self.alerts.apply([Fake(msgspec.json.encode(word), TOPICS.feedback)], NOW + at))

    def _take(self, one: UsageEvent) -> Iterator[Out]:
        now = one.time.timestamp()
        for out in self.meter.apply([Fake(msgspec.json.encode(one), TOPICS.usage)], now):
            yield out
            if out.topic == TOPICS.anomalies:
                yield from self.alerts.apply([Fake(out.value, TOPICS.anomalies)], now)


def _moment(second: int) -> datetime:
    return NOON + timedelta(seconds=second)


def written() -> Backup:
    """What the present code writes down."""
    stages = Stages()
    stages.run(0, BEFORE)
    stages.hush(BEFORE)
    logs = {
        TP(changelog(GROUP, "meter"), 0): _log(stages.meter, {TOPICS.usage: 0}),
        TP(changelog(GROUP, "alerts"), 0): _log(stages.alerts, {TOPICS.anomalies: 0}),
    }
    newest = max(map(layout_of, logs.values()))
    about = About(group=GROUP, topic_prefix="tidegate.", layout=newest, positions={TOPICS.usage: {0: 0}})
    return Backup(about, logs)


def _log(stage: Stage, positions: dict[str, int]) -> dict[bytes, bytes]:
    checkpoints = Checkpoints(0)
    records = [*checkpoints.parts(stage.changes()), checkpoints.head(positions)]
    return {key: value for key, value in records if value is not None}


def main() -> int:
    """Write the golden state of the present layout."""
    path = file_of(LAYOUT)
    if path.exists() and "--unreleased" not in sys.argv:
        print(f"{path} is there: raise LAYOUT, or say --unreleased if no release has written it", file=sys.stderr)  # noqa: T201
        return 1
    FOLDER.mkdir(exist_ok=True)
    save(written(), path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
