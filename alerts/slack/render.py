"""An incident as a Slack message in Block Kit, within Slack's published limits."""

import re
from typing import Any

from alerts.dispatcher import Notification
from alerts.incident import Incident
from alerts.text import cost, headline, history, reasons, span

# Slack's limits, of its Block Kit reference: characters of a header, of a section's text, of a context element.
HEADER, TEXT, CONTEXT = 150, 3000, 2000
Blocks = list[dict[str, Any]]


def message(notification: Notification) -> tuple[str, Blocks]:
    """Give the fallback text and the blocks: header, what it costs, why, and the fine print."""
    incident = notification.incident
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": clip(headline(incident), HEADER), "emoji": True}},
        _section(f"*{escape(cost(incident))}*\n{escape(span(incident))}"),
        _section("\n".join(f"• {escape(line)}" for line in reasons(incident))),
    ]
    if incident.notes:
        blocks.append(_section("\n".join(f"↳ {escape(note)}" for note in history(incident))))
    blocks.append(_context(f"incident {incident.id} · {incident.severity} · told because {notification.because}"))
    return clip(escape(f"{headline(incident)}: {cost(incident)}"), TEXT), blocks


def reply(incident: Incident) -> str:
    """Give the line that is said in the incident's thread."""
    return clip(escape(headline(incident)), TEXT)


def escape(text: str) -> str:
    """Escape what Slack's markup reads as control characters.

    >>> escape("<a & b>")
    '&lt;a &amp; b&gt;'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def clip(text: str, most: int) -> str:
    """Shorten `text` to `most` characters, showing that something is missing; an escape is kept or left out whole.

    >>> clip("a &amp; b", 6)
    'a …'
    """
    return text if len(text) <= most else re.sub(r"&\w*$", "", text[: most - 1]) + "…"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": clip(text, TEXT)}}


def _context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": clip(escape(text), CONTEXT)}]}
