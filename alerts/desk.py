"""The desk where alerts arrive: what comes of each for people (the dispatcher) and for gateways (the ledger)."""

from collections.abc import Iterable
from typing import Literal

from alerts.alert import Alert
from alerts.dispatcher import Dispatcher
from alerts.text import money
from alerts.throttle.command import Ack, Command, CommandReason
from alerts.throttle.ledger import Change, Ledger
from alerts.throttle.word import Word

#: What became of a word: `unknown` if nothing open is what it names, `refused` if a guard rail forbids what it asks.
Heeded = Literal["applied", "repeated", "unknown", "refused"]


class AlertDesk:
    """Keeps incidents and commands in step: an incident tells of its commands, and is not over while they last."""

    def __init__(self, dispatcher: Dispatcher, ledger: Ledger) -> None:
        self.dispatcher, self.ledger = dispatcher, ledger

    def submit(self, alert: Alert, now: float) -> list[Change]:
        """Take in an alert at `now` (epoch seconds); gives what is to be written to the throttle topic."""
        incident = self.dispatcher.submit(alert, now)
        if incident is None:
            # The end of what no incident knows may still be what a command is waiting for.
            return self._followed(self.ledger.submit(alert, "", now) if alert.state == "closed" else [])
        # A record that was written again after a crash may be older than what the incident knows.
        latest = incident.alerts.get(alert.id, alert)
        return self._followed(self.ledger.submit(latest, incident.id, now))

    def tick(self, now: float) -> list[Change]:
        """Let time pass: releases, escalations, renewals and tombstones that are due."""
        changes = self._followed(self.ledger.tick(now))
        self.dispatcher.forget(now)
        return changes

    def heed(self, word: Word, now: float) -> tuple[Heeded, list[Change]]:
        """Do what a person says of a command at `now`; a word of the same id again changes nothing."""
        if word.id in self.ledger.heard:
            return "repeated", []
        outcome, changes = self._let_go(word, now) if word.verdict == "release" else self._throttle(word, now)
        if outcome == "applied":
            self.ledger.heard.add(word.id)
        self._note(word, outcome, changes)
        return outcome, self._followed(changes)

    def acknowledge(self, ack: Ack, now: float) -> bool:
        """Take in a gateway's word on a command, and tell the incident what is new; False if none such is in force."""
        incident = self.ledger.acknowledge(ack, now)
        if incident:
            detail = f": {ack.detail}" if ack.detail else ""
            self.dispatcher.note(incident, f"gateway {ack.gateway}: {ack.state} at {ack.at:%H:%M:%S} UTC{detail}")
        return incident is not None

    def _throttle(self, word: Word, now: float) -> tuple[Heeded, list[Change]]:
        if word.scope:
            reason = CommandReason(word.incident, "person", "throttled by a person", 0, 0, "0")
            found, refused = 1, sum(self.ledger.refused.values())
            changes = self.ledger.impose(word.scope, reason, now, word.until, word.tool)
        else:
            alerts = list(self._alerts(word))
            found, refused = len(alerts), sum(self.ledger.refused.values())
            changes = [c for incident, alert in alerts for c in self.ledger.enforce(alert, incident, now)]
        if not found:
            return "unknown", []
        return ("refused" if not changes and sum(self.ledger.refused.values()) > refused else "applied"), changes

    def _let_go(self, word: Word, now: float) -> tuple[Heeded, list[Change]]:
        alerts = [] if word.scope else [alert.id for _, alert in self._alerts(word)]
        incident = "" if word.anomaly else word.incident
        keys = self.ledger.within(word.scope) if word.scope else self.ledger.caused_by(alerts, incident)
        if not keys and not alerts:
            return "unknown", []
        return "applied", self.ledger.let_go(keys, alerts, now)

    def _alerts(self, word: Word) -> Iterable[tuple[str, Alert]]:
        """Give the open alerts that a word is about, with their incidents."""
        known = self.dispatcher.find(word.incident)
        for incident in ([known] if known else []) if word.incident else self.dispatcher.open_incidents():
            for alert in incident.alerts.values():
                named = word.anomaly in ("", alert.id) and word.tenant in ("", alert.labels["tenant"])
                if named and alert.state != "closed":
                    yield incident.id, alert

    def _note(self, word: Word, outcome: Heeded, changes: list[Change]) -> None:
        """Tell the incidents behind the commands, or the one that is named, whose word it was."""
        said = {"throttle": "throttles it", "release": "lets it go"}[word.verdict]
        line = f"{word.who} {said}" + (": refused, by the guard rails of throttling" if outcome == "refused" else "")
        incidents = {change.command.reason.incident for change in changes if change.command} or {word.incident}
        for incident in sorted(incidents - {""}):
            self.dispatcher.note(incident, line)

    def _followed(self, changes: list[Change]) -> list[Change]:
        for change in changes:
            if change.command:
                self._follow(change, change.command)
        return changes

    def _follow(self, change: Change, command: Command) -> None:
        incident = command.reason.incident
        self.dispatcher.note(incident, _line(change, command))
        if command.action == "release":
            self.dispatcher.released(incident, change.key, change.saved)
        elif command.mode == "enforce":
            self.dispatcher.throttled(incident, change.key)


def _line(change: Change, command: Command) -> str:
    if command.action == "release":
        saved = f"; it saved about {money(change.saved)} (an estimate)" if change.saved else ""
        return f"released {change.key} at {command.issued_at:%H:%M:%S} UTC{saved}"
    verb = "told gateways to" if command.mode == "enforce" else "suggests to"
    return f"{verb} {command.action.replace('_', ' ')} {change.key} until {command.expires_at:%H:%M:%S} UTC"
