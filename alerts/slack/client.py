"""Slack as a receiver: one message an incident, edited as it goes on, its history and its pictures in the thread."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple

import msgspec
import structlog

from alerts.history import Historian, History, joined, told
from alerts.incident import Incident
from alerts.notification import Notification
from alerts.showback import Report
from alerts.slack.app import SlackApp, SlackFailed
from alerts.slack.blocks import Blocks
from alerts.slack.render import message, reply
from alerts.slack.showback import report_message
from alerts.text import headline

log = structlog.get_logger()
# The message is gone, or can no longer be edited: the incident goes on in a new one.
_LOST = frozenset(["cant_update_message", "edit_window_closed", "message_not_found"])
# A picture is drawn anew when it misses as much of the incident as it shows, and as much as this.
_REDRAW = timedelta(minutes=1)
# History, drawing and upload together; the message itself is out by then.
_LONGEST_PICTURE = 30.0
# Slack looks at a file for a moment before a message may show it.
_PAUSES = (0.5, 1.0, 2.0)
_MOST_KNOWN = 1000


class Ref(NamedTuple):
    """Where an incident's message is, and the mark of the last note that was said in its thread."""

    channel: str
    ts: str
    said: str = ""

    @classmethod
    def read(cls, text: str) -> "Ref":
        """Read what `str` gave, now or before marks were known."""
        channel, _, rest = text.partition(":")
        ts, _, said = rest.partition(":")
        return cls(channel, ts, said)

    def __str__(self) -> str:
        return ":".join(self if self.said else self[:2])


class Shown(msgspec.Struct, frozen=True):
    """The picture that a message shows: the file, the history that it was drawn from, and the incident's time then."""

    file: str
    past: History
    at: datetime


def _nowhere(_: str) -> str:
    return ""


class SlackReceiver:
    """Sends to one channel. The message goes out at once, its picture follows; one that fails stops nothing.

    `link` gives the address of an incident's page by the incident's id, "" where there is none. Pictures that messages
    show are remembered while the process lives, and drawn anew after that.
    """

    def __init__(
        self,
        app: SlackApp,
        channel: str,
        historian: Historian | None = None,
        *,
        buttons: bool = True,
        link: Callable[[str], str] = _nowhere,
        pauses: Sequence[float] = _PAUSES,
    ) -> None:
        self._app, self._channel, self._historian = app, channel, historian
        self._buttons, self._pauses, self._link = buttons, pauses, link
        self._shown: OrderedDict[str, Shown] = OrderedDict()
        self._drawing = asyncio.Lock()

    async def send(self, notification: Notification) -> str:
        """Post or edit the incident's message; its reference names the message and what its thread has heard."""
        incident = notification.incident
        if notification.previous is None:
            ref = await self._post(notification)
            said = await self._said_if_possible(ref, incident)
        else:
            ref = await self._edit(notification, Ref.read(notification.previous))
            said = await self._said(ref, incident, always=notification.because in ("resolved", "repeat"))
        await self._picture(notification, ref)
        return str(ref._replace(said=said))

    async def report(self, report: Report) -> None:
        """Post a showback."""
        text, blocks = report_message(report)
        await self._app.post(self._channel, text, blocks)

    async def _post(self, notification: Notification) -> Ref:
        text, blocks = self._message(notification)
        return Ref(*await self._app.post(self._channel, text, blocks))

    async def _edit(self, notification: Notification, ref: Ref) -> Ref:
        text, blocks = self._message(notification, self._shown.get(ref.ts))
        try:
            await self._app.edit(ref.channel, ref.ts, text, blocks)
        except SlackFailed as error:
            if error.answer in _LOST:
                return await self._post(notification)
            raise
        return ref

    async def _said(self, ref: Ref, incident: Incident, *, always: bool = False) -> str:
        """Say in the thread what was done since the last word there; gives the mark of the last note."""
        news = _after(incident.notes, ref.said)
        if news or always:
            await self._app.post(ref.channel, reply(incident, news), thread=ref.ts)
        return _mark(incident.notes[-1]) if incident.notes else ref.said

    async def _said_if_possible(self, ref: Ref, incident: Incident) -> str:
        # The message is out: to fail now would post it again.
        try:
            return await self._said(ref, incident)
        except SlackFailed as error:
            log.warning("thread not told", incident=incident.id, why=str(error))
            return ""

    async def _picture(self, notification: Notification, ref: Ref) -> None:
        incident = notification.incident
        shown = self._shown.get(ref.ts)
        if shown and notification.because != "resolved" and not _old(shown, incident):
            return
        try:
            async with asyncio.timeout(_LONGEST_PICTURE):
                await self._show(notification, ref)
        except Exception as error:  # whatever it is, the message is out
            foreseen = isinstance(error, SlackFailed)
            log.warning("no picture", incident=incident.id, why=str(error) if foreseen else type(error).__name__)

    async def _show(self, notification: Notification, ref: Ref) -> None:
        """Draw, share in the thread, and show it in the message."""
        incident = notification.incident
        past = await self._past(incident)
        async with self._drawing:
            png = await asyncio.to_thread(_drawn, incident, past)
        if png is None:
            return
        words = headline(incident)
        file = await self._app.upload(ref.channel, ref.ts, png, f"incident-{incident.id}.png", words)
        shown = Shown(file, past, incident.updated_at)
        self._remember(ref.ts, shown)
        await self._edit_until_ready(notification, ref, shown)

    async def _past(self, incident: Incident) -> History:
        found = await self._historian.of(incident) if self._historian else None
        return joined(found, incident) if found else told(incident)

    async def _edit_until_ready(self, notification: Notification, ref: Ref, shown: Shown) -> None:
        text, blocks = self._message(notification, shown)
        for pause in self._pauses:
            try:
                await self._app.edit(ref.channel, ref.ts, text, blocks)
            except SlackFailed as error:
                if error.answer != "invalid_blocks":
                    raise
                await asyncio.sleep(pause)
            else:
                return
        # It stays in the thread.
        shown = msgspec.structs.replace(shown, file="")
        self._remember(ref.ts, shown)
        await self._app.edit(ref.channel, ref.ts, *self._message(notification, shown))

    def _message(self, notification: Notification, shown: Shown | None = None) -> tuple[str, Blocks]:
        past, file = (shown.past, shown.file) if shown else (None, "")
        return message(notification, past, file, buttons=self._buttons, link=self._link(notification.incident.id))

    def _remember(self, ts: str, shown: Shown) -> None:
        self._shown[ts] = shown
        self._shown.move_to_end(ts)
        if len(self._shown) > _MOST_KNOWN:
            self._shown.popitem(last=False)


def _drawn(incident: Incident, past: History) -> bytes | None:
    from alerts.slack.chart import draw  # noqa: PLC0415 - matplotlib costs a second that a message need not wait

    return draw(incident, past)


def _old(shown: Shown, incident: Incident) -> bool:
    return incident.updated_at - shown.at >= max(_REDRAW, shown.at - incident.opened_at)


def _after(notes: list[str], said: str) -> list[str]:
    """Give the notes after the one with the mark `said`, all where it is not among them."""
    marks = [_mark(note) for note in notes]
    return notes[len(marks) - marks[::-1].index(said) :] if said in marks else notes


def _mark(note: str) -> str:
    return blake2b(note.encode(), digest_size=6).hexdigest()
