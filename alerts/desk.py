"""The desk where alerts and people's words arrive: what comes of each for people and for gateways."""

from alerts.alert import Alert
from alerts.answers import Answers, Outcome
from alerts.dispatcher import Dispatcher
from alerts.throttle.command import Command
from alerts.throttle.ledger import Change, Ledger
from alerts.word import Heard, Word


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
        """Let time pass: releases, renewals and tombstones that are due."""
        changes = self._followed(self.ledger.tick(now))
        self.dispatcher.tick(now)
        self.dispatcher.silences.tick(now)
        self.heard.tick(now)
        return changes

    def acknowledged(self, command: str, line: str) -> None:
        """Write a gateway's word on a command into the incident behind it."""
        incident = self.ledger.incident_of(command)
        if incident:
            self.dispatcher.note(incident, line)

    def _followed(self, changes: list[Change]) -> list[Change]:
        for change in changes:
            if change.command:
                self._follow(change.key, change.command)
        return changes

    def _follow(self, key: str, command: Command) -> None:
        incident = command.reason.incident
        self.dispatcher.note(incident, _line(key, command))
        if command.action == "release":
            self.dispatcher.released(key)
        elif command.mode == "enforce":
            self.dispatcher.throttled(incident, key)


def _line(key: str, command: Command) -> str:
    if command.action == "release":
        return f"released {key} at {command.issued_at:%H:%M:%S} UTC"
    verb = "told gateways to" if command.mode == "enforce" else "suggests to"
    return f"{verb} {command.action.replace('_', ' ')} {key} until {command.expires_at:%H:%M:%S} UTC"
