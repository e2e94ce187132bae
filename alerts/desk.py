"""The desk where alerts and people's words arrive: what comes of each for people and for gateways."""

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from alerts.alert import Alert
from alerts.answers import Answers, Outcome
from alerts.dispatcher import Dispatcher
from alerts.incident import Incident
from alerts.text import money
from alerts.throttle.book import Change
from alerts.throttle.command import Ack, Command, CommandReason, CommandScope
from alerts.throttle.ledger import Ledger
from alerts.word import Heard, Word

#: What became of a word on commands: `refused` if a guard rail forbids what it asks.
Heeded = Literal["applied", "repeated", "unknown", "refused"]


class AlertDesk:
    """Keeps incidents and commands in step: an incident tells of its commands, and is not over while they last.

    `mute` is for how many seconds a mute holds that names no end.
    """

    def __init__(self, dispatcher: Dispatcher, ledger: Ledger, mute: float = 3600.0) -> None:
        self.dispatcher, self.ledger = dispatcher, ledger
        self.heard = Heard()
        self._answers = Answers(dispatcher, mute)

    def submit(self, alert: Alert, now: float) -> list[Change]:
        """Take in an alert at `now` (epoch seconds); gives what is to be written to the throttle topic."""
        incident = self.dispatcher.submit(alert, now)
        if incident is None:
            # The end of what no incident knows may still be what a command is waiting for.
            return self._followed(self.ledger.submit(alert, "", now) if alert.state == "closed" else [])
        # A record that was written again after a crash may be older than what the incident knows.
        return self._followed(self.ledger.submit(incident.latest(alert), incident.id, now))

    def hear(self, word: Word, now: float) -> Outcome:
        """Take in a person's word at `now` (epoch seconds); one that was heard before changes nothing."""
        if not self.heard.add(word, now):
            return "repeated"
        return self._answers.take(word, now)

    def tick(self, now: float) -> list[Change]:
        """Let time pass: releases, escalations, renewals and tombstones that are due."""
        changes = self._followed(self.ledger.tick(now))
        self.dispatcher.tick(now)
        self.dispatcher.silences.tick(now)
        self.heard.tick(now)
        return changes

    @property
    def due(self) -> float:
        """The moment (epoch seconds) before which ticks change nothing, and nothing is pending, by what has arrived."""
        return min(self.ledger.due, self.dispatcher.due, self.dispatcher.silences.due, self.heard.due)

    def heed(self, word: Word, now: float) -> tuple[Heeded, list[Change]]:
        """Throttle, or let go, as a person says at `now`; a word that was heard before changes nothing."""
        if not self.heard.add(word, now):
            return "repeated", []
        outcome, changes = self._let_go(word, now) if word.verdict == "release" else self._throttle(word, now)
        left = {} if word.verdict == "release" or _scope_of(word) else self._in_short(word)
        self._note(word, outcome, changes, left)
        return outcome, self._followed(changes)

    def acknowledge(self, ack: Ack, now: float) -> bool:
        """Take in a gateway's word on a command, and tell the incident what is new; False if none such is in force."""
        incident = self.ledger.acknowledge(ack, now)
        if incident:
            detail = f": {ack.detail}" if ack.detail else ""
            self.dispatcher.remarks.note(
                incident, f"gateway {ack.gateway}: {ack.state} at {ack.at:%H:%M:%S} UTC{detail}"
            )
        return incident is not None

    def _throttle(self, word: Word, now: float) -> tuple[Heeded, list[Change]]:
        refused = self.ledger.refused.total()
        if scope := _scope_of(word):
            reason = CommandReason(word.incident, "person", "throttled by a person", 0.0, 0.0, "0")
            changes = self.ledger.impose(scope, reason, now, word.until, word.scope.get("tool", ""))
        else:
            alerts = list(self._alerts(word))
            if not alerts:
                return "unknown", []
            changes = [c for incident, alert in alerts for c in self.ledger.enforce(alert, incident, now, word.until)]
        return ("refused" if not changes and self.ledger.refused.total() > refused else "applied"), changes

    def _let_go(self, word: Word, now: float) -> tuple[Heeded, list[Change]]:
        scope = _scope_of(word)
        alerts = [] if scope else [*(alert.id for _, alert in self._alerts(word)), *self._in_short(word)]
        keys = self.ledger.within(scope, word.scope.get("tool", "")) if scope else self._behind(word, alerts)
        if not keys and not alerts:
            return "unknown", []
        return "applied", self.ledger.let_go(keys, alerts, now)

    def _behind(self, word: Word, alerts: Collection[str]) -> list[str]:
        """Give the keys of commands behind open alerts, or of an incident, which may be over and hold some yet."""
        named = [] if word.anomaly else self._named(word)
        held = {key for incident in named for key in incident.commands}
        held.update(self.ledger.caused_by(alerts, word.incident if named else ""))
        tenant = word.scope.get("tenant", "")
        return sorted(held.intersection(self.ledger.within(CommandScope(tenant))) if tenant else held)

    def _alerts(self, word: Word) -> Iterable[tuple[str, Alert]]:
        """Give the open alerts that a word is about, each with the first incident that tells of it."""
        told: dict[str, tuple[str, Alert]] = {}
        for incident in self._named(word):
            for alert in incident.alerts.values():
                if alert.state != "closed" and _is_about(word, alert.id, alert.labels["tenant"]):
                    told.setdefault(alert.id, (incident.id, alert))
        return told.values()

    def _in_short(self, word: Word) -> dict[str, str]:
        """Give the ids of the open alerts that a word is about but of which no labels are kept, with an incident's."""
        known = {alert.id for _, alert in self._alerts(word)}
        return {
            name: incident.id
            for incident in self._named(word)
            for name, one in incident.rest.items()
            if not one.closed and name not in known and _is_about(word, name, one.tenant)
        }

    def _named(self, word: Word) -> list[Incident]:
        if not word.incident:
            return self.dispatcher.holding(word.anomaly)
        known = self.dispatcher.find(word.incident)
        return [known] if known else []

    def _note(self, word: Word, outcome: Heeded, changes: list[Change], left: Mapping[str, str]) -> None:
        """Tell the incidents behind the commands, or the one that is named, whose word it was, and what is `left`."""
        line = f"{word.by or 'somebody'} " + {"throttle": "throttles it", "release": "lets it go"}[word.verdict]
        line += ": refused, by the guard rails of throttling" if outcome == "refused" else ""
        line += f"; not what is kept in short ({len(left)} of its alerts): name their scope" if left else ""
        incidents = {change.command.reason.incident for change in changes if change.command} or {word.incident}
        for incident in sorted({*incidents, *left.values()} - {""}):
            self.dispatcher.remarks.answer(incident, line)

    def _followed(self, changes: list[Change]) -> list[Change]:
        for change in changes:
            if change.command:
                self._follow(change, change.command)
        return changes

    def _follow(self, change: Change, command: Command) -> None:
        incident = command.reason.incident
        # People were told once that it lasts while it goes on.
        if not change.renews:
            self.dispatcher.remarks.note(incident, _line(change, command, renewed=self.ledger.is_renewed(change.key)))
        if command.action == "release":
            self.dispatcher.remarks.released(change.key, incident, change.saved)
        elif command.mode == "enforce":
            self.dispatcher.remarks.throttled(incident, change.key)


def _line(change: Change, command: Command, *, renewed: bool) -> str:
    if command.action == "release":
        saved = f"; it saved about {money(change.saved)} (an estimate)" if change.saved else ""
        return f"released {change.key} at {command.issued_at:%H:%M:%S} UTC{saved}"
    verb = "told gateways to" if command.mode == "enforce" else "suggests to"
    until = f"until {command.expires_at:%H:%M:%S} UTC" + (", renewed while it goes on" if renewed else "")
    return f"{verb} {command.action.replace('_', ' ')} {change.key} {until}"


def _is_about(word: Word, alert: str, tenant: str) -> bool:
    return word.anomaly in ("", alert) and word.scope.get("tenant", "") in ("", tenant)


def _scope_of(word: Word) -> CommandScope | None:
    """Give the scope that a word names by itself; None where it is about what was told, or no command can be of it."""
    named = {name: word.scope.get(name, "") for name in ("tenant", "use_case", "agent", "session")}
    within = any(word.scope.get(name) for name in ("use_case", "agent", "session", "tool"))
    if not named["tenant"] or word.scope.get("model") or ((word.incident or word.anomaly) and not within):
        return None
    return CommandScope(**named)
