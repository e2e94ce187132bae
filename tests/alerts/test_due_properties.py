"""A desk that is left alone until it says that something is due tells and writes what one told of every second does."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alerts.alert import AlertState, Label, Severity
from alerts.desk import AlertDesk
from alerts.dispatcher import Dispatcher
from alerts.hours import Hours
from alerts.incident import moment
from alerts.routes import Route, Step
from alerts.storm import StormRule
from alerts.throttle.book import Change
from alerts.throttle.command import Ack
from alerts.throttle.ledger import Ledger
from alerts.throttle.policy import Policy
from alerts.word import Word
from tests.alerts.build import NOW, alert

# NOW is ten o'clock.
SIESTA = Hours(name="siesta", start=10 * 60 + 1, end=10 * 60 + 4)
TIMES = {"group_wait": 2.0, "group_interval": 10.0, "repeat_interval": 100.0}
ROUTES = [
    Route(receiver="pager", match={"severity": "critical"}, go_on=True, **TIMES),
    Route(receiver="acme", match={"tenant": "acme"}, escalate=(Step(40.0, "boss"), Step(90.0, "chief")), **TIMES),
    Route(receiver="rest", quiet=(SIESTA,), **TIMES),
]
POLICIES = [
    Policy(kind="loop", scope="session", action="limit_rate", mode="enforce", params={"requests_per_minute": 6}),
    Policy(kind="burst", scope="agent", action="pause", mode="suggest"),
]
NAMES = [
    f"{tenant} {kind} {session}"
    for tenant in ("acme", "globex", "vital")
    for kind in ("loop", "burst")
    for session in ("", "s1")
]


class Act(NamedTuple):
    """What happens `after` so many seconds."""

    after: int
    what: Literal["alert", "hear", "heed", "ack"]
    name: str
    state: AlertState
    severity: Severity
    usd: int
    verdict: Any
    lasts: int


acts = st.builds(
    Act,
    st.sampled_from([0, 1, 2, 3, 9, 10, 11, 40, 65, 130]),
    st.sampled_from(["alert", "alert", "alert", "hear", "heed", "ack"]),
    st.sampled_from(NAMES),
    st.sampled_from(["opened", "updated", "updated", "closed"]),
    st.sampled_from(["info", "warning", "critical"]),
    st.integers(0, 9),
    st.sampled_from(["mute", "planned", "acknowledge", "expected", "throttle", "release"]),
    st.sampled_from([5, 60, 300]),
)


# What its command has not stopped ten seconds later.
LEAKS = [
    Act(after, "alert", "acme loop s1", state, "warning", 2, "", 0) for after, state in ((1, "opened"), (7, "updated"))
]


def desk() -> AlertDesk:
    policies = [msgspec.structs.replace(policy, expires=20.0, escalate=10.0) for policy in POLICIES]
    ledger = Ledger(policies, hold=8.0, cool_down=30.0, tombstone=12.0, most=3, critical=("vital",))
    storm = StormRule(incidents=4, window=20.0, patience=50.0)
    return AlertDesk(Dispatcher(ROUTES, keep_resolved=60.0, linger=30.0, storm=storm), ledger, mute=60.0)


class Life:
    """A desk, and all that comes of it; told of each second, or of those alone by which something is due."""

    def __init__(self, *, every_second: bool) -> None:
        self.desk, self.now, self.every_second = desk(), NOW, every_second
        self.said: list[Any] = []
        self.ticks = self.words = 0

    def live(self, acts: list[Act]) -> None:
        for act in acts:
            self.wait(act.after)
            self._do(act)
        self.wait(400)
        self.said.append(sorted(self._written()))

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1
            if self.every_second or self.desk.due <= self.now:
                self.ticks += 1
                self._tell(self.desk.tick(self.now))

    def _do(self, act: Act) -> None:
        if act.what == "alert":
            self._tell(self.desk.submit(self._alert(act), self.now))
        elif act.what == "ack":
            for command in self.desk.ledger.live():
                self.desk.acknowledge(
                    Ack(command=command.id, gateway="edge", state="applied", at=moment(self.now)), self.now
                )
        else:
            word = self._word(act)
            if act.what == "heed" and act.verdict in ("throttle", "release"):
                self._tell(self.desk.heed(word, self.now)[1])
            elif act.what == "hear" and act.verdict not in ("throttle", "release"):
                self.desk.hear(word, self.now)

    def _alert(self, act: Act) -> Any:
        labels = self._labels(act)
        after = self.now - NOW
        return alert(act.name, act.state, after=after, labels=labels, severity=act.severity, usd=str(act.usd))

    def _word(self, act: Act) -> Word:
        self.words += 1
        scope = {name: value for name, value in self._labels(act).items() if name != "kind"}
        until = self.now + act.lasts
        at = moment(self.now)
        if act.usd % 2:
            return Word(id=f"w{self.words}", at=at, verdict=act.verdict, anomaly=act.name, until=until, by="ann")
        return Word(id=f"w{self.words}", at=at, verdict=act.verdict, scope=scope, until=until, by="ann")

    def _labels(self, act: Act) -> dict[Label, str]:
        tenant, kind, session = act.name.split(" ")
        labels: dict[Label, str] = {"tenant": tenant, "kind": kind, "agent": "triage", "session": session}
        return {name: value for name, value in labels.items() if value}

    def _tell(self, changes: list[Change]) -> None:
        self.said += [(self.now, msgspec.json.encode(change)) for change in changes]
        for told in list(self.desk.dispatcher.pending(self.now)):
            self.said.append((self.now, told.because, msgspec.json.encode(told.incident)))
            self.desk.dispatcher.delivered(told, "ref", self.now)

    def _written(self) -> Iterator[tuple[str, bytes | None]]:
        yield from self.desk.dispatcher.changes()
        yield from self.desk.dispatcher.silences.changes()
        yield from self.desk.heard.changes()
        yield from self.desk.ledger.changes()


@settings(max_examples=60, deadline=None)
@given(st.lists(acts, max_size=20))
@example(LEAKS)
@example([Act(1, "hear", "acme loop s1", "opened", "info", 0, "mute", 60)])
def test_a_desk_that_is_told_of_due_seconds_only_says_the_same(script: list[Act]) -> None:
    waiting, ticking = Life(every_second=False), Life(every_second=True)
    waiting.live(script)
    ticking.live(script)
    assert waiting.said == ticking.said
    assert waiting.ticks <= ticking.ticks


def test_a_desk_without_anything_open_waits_for_nothing() -> None:
    life = Life(every_second=False)
    life.live([Act(1, "alert", "acme loop s1", state, "warning", 2, "", 0) for state in ("opened", "closed")])
    life.ticks = 0
    life.wait(100_000)
    assert life.ticks == 0


def test_an_alert_that_goes_on_is_looked_at_when_something_is_due() -> None:
    """Told, escalated twice, told again every 100 s, its command renewed every 15: a few looks for each, of 400."""
    life = Life(every_second=False)
    life.live([Act(1, "alert", "acme burst s1", "opened", "warning", 2, "", 0)])
    assert len(life.said) > 30
    assert life.ticks < 100
