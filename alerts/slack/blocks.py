"""Block Kit by the piece, within Slack's published limits."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

# Slack's limits, of its Block Kit reference: characters of a header, of a section's text, of a context element.
HEADER, TEXT, CONTEXT = 150, 3000, 2000
# Of a button's or an option's text, of an option's value, of an id.
LABEL, OPTION_VALUE, ID = 75, 150, 255
_CONFIRM_TITLE, _CONFIRM_TEXT = 100, 300
# Of a dialog's title and its buttons, of what comes back with it, of a field's label and hint.
TITLE, METADATA, FIELD = 24, 3000, 2000
Block = dict[str, Any]
Blocks = list[Block]


def header(text: str) -> Block:
    """Make a header."""
    return {"type": "header", "text": _plain(text, HEADER)}


def section(markup: str) -> Block:
    """Make a paragraph of Slack's markup."""
    return {"type": "section", "text": _markup(markup, TEXT)}


def context(markup: str) -> Block:
    """Make a line of fine print."""
    return {"type": "context", "elements": [_markup(markup, CONTEXT)]}


def picture(file: str, words: str) -> Block:
    """Show a file that was uploaded, and what it shows in words."""
    return {"type": "image", "slack_file": {"id": file}, "alt_text": clip(words, CONTEXT)}


def actions(block_id: str, elements: list[Block]) -> Block:
    """Make a row of buttons and choices; `block_id` comes back with what people press."""
    return {"type": "actions", "block_id": block_id, "elements": elements}


def button(action: str, label: str, *, style: str = "", ask: tuple[str, str] | None = None) -> Block:
    """Make a button; `ask` is the title and the question of what Slack asks before it sends."""
    made: Block = {"type": "button", "action_id": action, "text": _plain(label, LABEL)}
    if style:
        made["style"] = style
    if ask:
        made["confirm"] = {
            "title": _plain(ask[0], _CONFIRM_TITLE),
            "text": _plain(ask[1], _CONFIRM_TEXT),
            "confirm": {"type": "plain_text", "text": "Yes"},
            "deny": {"type": "plain_text", "text": "No"},
        }
    return made


def choice(action: str, label: str, options: Iterable[tuple[str, str]]) -> Block:
    """Make a choice of (value, label)."""
    return {
        "type": "static_select",
        "action_id": action,
        "placeholder": _plain(label, OPTION_VALUE),
        "options": [{"text": _plain(name, LABEL), "value": value} for value, name in options],
    }


def date_input(name: str, label: str, hint: str, begin: datetime) -> Block:
    """Make a field for a date and a time, of a dialog; `name` comes back with what people enter."""
    picker = {"type": "datetimepicker", "action_id": name, "initial_date_time": int(begin.timestamp())}
    return {
        "type": "input",
        "block_id": name,
        "label": _plain(label, FIELD),
        "hint": _plain(hint, FIELD),
        "element": picker,
    }


def dialog(callback: str, title: str, metadata: str, fields: Blocks) -> Block:
    """Make a dialog; `callback` and `metadata` come back with what people enter."""
    return {
        "type": "modal",
        "callback_id": callback,
        "title": _plain(title, TITLE),
        "submit": _plain("Save", TITLE),
        "close": _plain("Cancel", TITLE),
        "private_metadata": metadata[:METADATA],
        "blocks": fields,
    }


def date(at: datetime, form: str = "{time}") -> str:
    """Name a moment in the reader's own time zone, in UTC where Slack cannot."""
    return f"<!date^{int(at.timestamp())}^{form}|{at:%Y-%m-%d %H:%M} UTC>"


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
    return text if len(text) <= most else re.sub(r"(&\w*|<[^>]*)$", "", text[: most - 1]) + "…"


def _markup(text: str, most: int) -> Block:
    # Verbatim: Slack makes no links of names that look like addresses or channels; what is marked up as one stays one.
    return {"type": "mrkdwn", "text": clip(text, most), "verbatim": True}


def _plain(text: str, most: int) -> Block:
    return {"type": "plain_text", "text": clip(text, most), "emoji": True}
