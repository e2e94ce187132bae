"""The console as a receiver: one block of lines a notification."""

from typing import TextIO

from alerts.notification import Notification
from alerts.showback import Report, lines
from alerts.text import cost, headline, history, reasons, span, stands_in


class ConsoleReceiver:
    """Writes notifications to a text stream, for people in front of a terminal or a log."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    async def send(self, notification: Notification) -> str:
        """Write the notification; its reference is the incident's id."""
        incident = notification.incident
        told = [
            headline(incident),
            f"{span(incident)} · {cost(incident)}",
            *reasons(incident),
            *filter(None, [stands_in(incident)]),
            *history(incident),
        ]
        self._stream.write("\n   ".join(told) + f"\n   incident {incident.id}, told because {notification.because}\n")
        self._stream.flush()
        return incident.id

    async def report(self, report: Report) -> None:
        """Write a showback."""
        self._stream.write("\n".join(lines(report)) + "\n")
        self._stream.flush()
