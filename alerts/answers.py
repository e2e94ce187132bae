"""What comes of people's words for the incidents that they are about."""

from typing import Literal

from alerts.alert import Label
from alerts.dispatcher import Dispatcher
from alerts.incident import Incident, moment
from alerts.match import spelled
from alerts.silences import Silence
from alerts.word import Word

Outcome = Literal["applied", "repeated", "unknown", "ignored"]
# What ends by way of the detectors; said of a series, it concerns them alone.
_VERDICTS = ("expected", "false_alarm")
_SCOPE = ("tenant", "use_case", "agent", "model", "session", "tool")


class Answers:
    """Acknowledges, mutes and notes.

    `expected` and `false_alarm` end what they are about by way of the detectors; until then it counts as acknowledged.

    `mute` is for how many seconds a mute holds that names no end.
    """

    def __init__(self, dispatcher: Dispatcher, mute: float) -> None:
        self._dispatcher, self._mute = dispatcher, mute

    def take(self, word: Word, now: float) -> Outcome:
        """Act upon a word at `now` (epoch seconds)."""
        if word.verdict in ("mute", "planned"):
            return self._silence(word, now)
        if word.verdict == "acknowledge" or (word.verdict in _VERDICTS and (word.incident or word.anomaly)):
            return self._acknowledge(word)
        return "ignored"

    def _acknowledge(self, word: Word) -> Outcome:
        found = self._named(word)
        for incident in found:
            self._dispatcher.remarks.acknowledge(incident.id, word.by, word.at, word.text)
        return "applied" if found else "unknown"

    def _silence(self, word: Word, now: float) -> Outcome:
        until = word.until or now + self._mute
        if until <= now:
            return "ignored"
        named = self._named(word)
        target = _target(word, named)
        if target is None:
            return "unknown"
        match, incident = target
        kind: Literal["mute", "planned"] = "planned" if word.verdict == "planned" else "mute"
        silence = Silence(match=match, incident=incident, until=until, kind=kind, by=word.by, at=word.at)
        # A word that names no end holds for as long as is configured, and that is to be told, too.
        ends = "" if word.until else f", until {moment(until):%Y-%m-%d %H:%M} UTC"
        for found in named:
            about = spelled(match) or "this incident"
            self._dispatcher.remarks.acknowledge(found.id, word.by, word.at, f"{word.text}{ends} ({about})")
        self._dispatcher.silence(silence)
        return "applied"

    def _named(self, word: Word) -> list[Incident]:
        """List the open incidents that a word is about."""
        if word.incident:
            found = self._dispatcher.find(word.incident)
            return [found] if found and _may_speak(word, found) else []
        if word.anomaly:
            return [one for one in self._dispatcher.holding(word.anomaly) if _may_speak(word, one)]
        return [one for one in self._dispatcher.open_incidents() if _lies_in(one, word.scope)]


def _target(word: Word, named: list[Incident]) -> tuple[dict[Label, str], str] | None:
    """Give the labels, or the incident, that a silence is about; None where what is named is not known."""
    beyond = {name: value for name, value in word.scope.items() if name != "tenant"}
    if not beyond and (word.incident or word.anomaly):
        return _of_incident(word, named[0]) if named else None
    return (dict(word.scope), "") if word.scope else None


def _of_incident(word: Word, incident: Incident) -> tuple[dict[Label, str], str]:
    """Silence the like of one alert, or all that an incident's alerts agree in; if that is no tenant, it alone."""
    if alert := incident.alerts.get(word.anomaly):
        return {name: alert.labels[name] for name in (*_SCOPE, "kind") if name in alert.labels}, ""
    return (dict(incident.group), "") if "tenant" in incident.group else ({}, incident.id)


def _may_speak(word: Word, incident: Incident) -> bool:
    """Tell whether a word that names a tenant is on what concerns it."""
    tenant = word.scope.get("tenant", "")
    return not tenant or incident.concerns(tenant)


def _lies_in(incident: Incident, scope: dict[Label, str]) -> bool:
    alerts = incident.alerts.values()
    return bool(scope) and all(alert.labels.get(name) == value for alert in alerts for name, value in scope.items())
