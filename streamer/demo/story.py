"""What must happen in the demo, in order, and whether it did."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from alerts.incident import Incident
from alerts.throttle.command import Command
from streamer.records import Anomaly, Rollup

LOOPER, BURSTER = "acme", "globex"
_KINDS = {"loop": LOOPER, "burst": BURSTER}
# A rate has come down once it is under this share of its peak.
_DOWN = 0.5


@dataclass
class Chapter:
    """One planted trouble: its steps, each with the moment (seconds into the demo) at which it was seen."""

    kind: str
    tenant: str
    seen: dict[str, float] = field(default_factory=dict)
    incident: str = ""
    peak: float = 0.0

    STEPS = ("planted", "anomaly", "told", "command", "obeyed", "rate down", "release", "closing notice")

    def mark(self, step: str, at: float) -> bool:
        """Note a step once, and only after the trouble was planted; True if it is news."""
        if step in self.seen or ("planted" not in self.seen and step != "planted"):
            return False
        self.seen[step] = at
        return True

    @property
    def complete(self) -> bool:
        """Whether every step was seen."""
        return all(step in self.seen for step in self.STEPS)


class Story:
    """Follows both chapters from the records on the topics; `say` gets a line for each piece of news.

    `complete` is set when all that must happen has happened.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.now = 0.0
        self.chapters = {kind: Chapter(kind, tenant) for kind, tenant in _KINDS.items()}
        self.rates: dict[str, deque[float]] = {}
        self.events = 0
        self.complete = asyncio.Event()

    def missing(self) -> list[str]:
        """Name what has not been seen."""
        return [f"{c.kind}: {step}" for c in self.chapters.values() for step in c.STEPS if step not in c.seen]

    def planted(self, kind: str, text: str) -> None:
        """Note that trouble was planted."""
        self._mark(self.chapters[kind], "planted", text)

    def on_rollup(self, rollup: Rollup) -> None:
        """Follow the spend rate of each tenant, in dollars an hour."""
        seconds = (rollup.end - rollup.start).total_seconds()
        rate = float(rollup.usd) * 3600 / seconds
        if rollup.level == "tenant":
            self.events += rollup.events
            self.rates.setdefault(rollup.tenant, deque(maxlen=40)).append(rate)
            self._follow(self.chapters["burst"], rollup.tenant, rate)

    def session_rate(self, calls_per_second: float) -> None:
        """Follow the looping session: its model calls a second that the gateway let through."""
        self._follow(self.chapters["loop"], LOOPER, calls_per_second)

    def on_anomaly(self, anomaly: Anomaly) -> None:
        """Note the anomaly that the planted trouble is."""
        chapter = self.chapters.get(anomaly.kind)
        if chapter and anomaly.tenant == chapter.tenant and anomaly.state == "opened":
            self._mark(chapter, "anomaly", f"{anomaly.kind}: {anomaly.reason}")

    def on_incident(self, incident: Incident) -> None:
        """Note that somebody was told of the incident, and of its end."""
        chapter = self.chapters.get(incident.group.get("kind", ""))
        if chapter is None or incident.group.get("tenant") != chapter.tenant or incident.sent is None:
            return
        if self._mark(chapter, "told", f"incident {incident.id} told"):
            chapter.incident = incident.id
        if incident.sent.resolved:
            self._mark(chapter, "closing notice", f"incident {incident.id} is over, and said to be")

    def on_command(self, command: Command) -> None:
        """Note commands and releases."""
        chapter = next((c for c in self.chapters.values() if c.tenant == command.scope.tenant), None)
        if chapter is None or chapter.kind != command.reason.detector.replace("rate", "burst"):
            return
        step = "release" if command.action == "release" else "command"
        self._mark(chapter, step, f"{command.action.replace('_', ' ')} → {command.scope.key()}")

    def on_refusals(self, kind: str, refused: int) -> None:
        """Note that the gateway obeys."""
        if refused:
            self._mark(self.chapters[kind], "obeyed", f"the gateway refuses requests of {_KINDS[kind]}")

    def _follow(self, chapter: Chapter, tenant: str, rate: float) -> None:
        if tenant != chapter.tenant:
            return
        chapter.peak = max(chapter.peak, rate)
        if "obeyed" in chapter.seen and rate < chapter.peak * _DOWN:
            who = "the looping session" if chapter.kind == "loop" else tenant
            self._mark(chapter, "rate down", f"{who} is down to {rate / chapter.peak:.0%} of its peak")

    def _mark(self, chapter: Chapter, step: str, text: str) -> bool:
        news = chapter.mark(step, self.now)
        if news:
            self._say(text)
        if all(chapter.complete for chapter in self.chapters.values()):
            self.complete.set()
        return news
