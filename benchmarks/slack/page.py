"""Blocks as HTML, close to how Slack shows them on a phone and on a desk."""

import base64
import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from alerts.slack.blocks import Block, Blocks

# Signs that Debian's fonts lack, as the discs that they are.
_DISCS = {"🔴": "#e01e5a", "🟠": "#f2952f", "🔵": "#1d9bd1", "🟢": "#2eb67d"}
_STYLE = """
* { box-sizing: border-box }
body { margin: 0; background: #fff; color: #1d1c1d; line-height: 1.46; font: 15px/1.46 Lato, "DejaVu Sans",
  sans-serif; padding: 14px 16px }
.who { display: flex; gap: 8px; margin: 6px 0 14px }
.face { flex: none; width: 36px; height: 36px; border-radius: 8px; background: #1f4e79; color: #fff;
  font-weight: 700; display: grid; place-items: center; font-size: 19px }
.name { font-weight: 900 }
.app { background: #e8e8e8; border-radius: 2px; font-size: 10px; padding: 1px 3px; color: #616061 }
.time { color: #616061; font-size: 12px; margin-left: 4px }
.body { min-width: 0; flex: 1 }
h3 { font-size: 18px; line-height: 1.3; margin: 4px 0 8px; font-weight: 900 }
.section { margin: 0 0 8px; white-space: pre-wrap }
.context, .edited { color: #616061; font-size: 12px; margin: 4px 0 }
code { font: 12px "DejaVu Sans Mono", monospace; color: #1f4e79; background: #f6f6f6; border: 1px solid #e2e2e2;
  border-radius: 3px; padding: 1px 3px }
img { display: block; width: 100%; max-width: 440px; border-radius: 8px; border: 1px solid #e2e2e2; margin: 2px
  0 8px }
.actions { display: flex; flex-wrap: wrap; gap: 8px; margin: 4px 0 8px }
.button { border: 1px solid #bbb; border-radius: 8px; font-weight: 700; font-size: 14px; padding: 5px 12px;
  background: #fff }
.primary { background: #007a5a; border-color: #007a5a; color: #fff }
.danger { background: #e01e5a; border-color: #e01e5a; color: #fff }
.choice { font-weight: 400 }
.disc { display: inline-block; width: .82em; height: .82em; border-radius: 50%; vertical-align: -.06em }
.thread { border-left: 2px solid #ddd; padding-left: 12px; margin: 0 0 10px 44px }
.modal { border: 1px solid #ddd; border-radius: 12px; overflow: hidden }
.bar { display: flex; justify-content: space-between; padding: 12px 16px; border-bottom: 1px solid #ddd;
  font-weight: 900 }
.bar span { font-weight: 400; color: #1264a3 }
.field { margin: 14px 16px; font-weight: 700 }
.pick { border: 1px solid #bbb; border-radius: 6px; padding: 8px 12px; margin: 6px 0; font-weight: 400; display: flex;
  gap: 24px }
.hint { color: #616061; font-size: 12px; font-weight: 400 }
"""


def page(messages: list[str]) -> str:
    """Put messages on one page."""
    return f"<!doctype html><meta charset=utf-8><style>{_STYLE}</style>{''.join(messages)}"


def message(blocks: Blocks, at: datetime, files: Mapping[str, bytes], *, edited: bool = False) -> str:
    """Show a message with its sender; `files` are pictures by the id under which they were uploaded."""
    body = "".join(_block(block, files) for block in blocks)
    note = '<div class="edited">(edited)</div>' if edited else ""
    return _sent(body + note, at)


def reply(text: str, at: datetime) -> str:
    """Show a text in a thread."""
    return f'<div class="thread">{_sent(f"<div class=section>{_markup(text)}</div>", at)}</div>'


def dialog(view: Block) -> str:
    """Show a dialog as a phone does."""
    close, title, submit = (html.escape(view[name]["text"]) for name in ("close", "title", "submit"))
    fields = "".join(map(_field, view["blocks"]))
    return f'<div class="modal"><div class="bar"><span>{close}</span>{title}<span>{submit}</span></div>{fields}</div>'


def _field(block: Block) -> str:
    begin = datetime.fromtimestamp(block["element"]["initial_date_time"], UTC)
    label, hint = (html.escape(block[name]["text"]) for name in ("label", "hint"))
    picked = f'<div class="pick"><span>{begin:%B} {begin.day}, {begin.year}</span><span>{begin:%H:%M}</span></div>'
    return f'<div class="field">{label}{picked}<div class="hint">{hint}</div></div>'


def _sent(body: str, at: datetime) -> str:
    head = f'<span class="name">Tidegate</span> <span class="app">APP</span><span class="time">{at:%H:%M}</span>'
    return f'<div class="who"><div class="face">T</div><div class="body">{head}{body}</div></div>'


def _block(block: Block, files: Mapping[str, bytes]) -> str:
    match block["type"]:
        case "header":
            return f"<h3>{_discs(html.escape(block['text']['text']))}</h3>"
        case "section":
            return f'<div class="section">{_markup(block["text"]["text"])}</div>'
        case "context":
            return "".join(f'<div class="context">{_markup(each["text"])}</div>' for each in block["elements"])
        case "image":
            data = base64.b64encode(files[block["slack_file"]["id"]]).decode()
            return f'<img alt="{html.escape(block["alt_text"])}" src="data:image/png;base64,{data}">'
        case "actions":
            return f'<div class="actions">{"".join(map(_element, block["elements"]))}</div>'
        case "divider":
            return "<hr>"
    raise ValueError(block["type"])


def _element(element: Mapping[str, Any]) -> str:
    if element["type"] == "static_select":
        return f'<span class="button choice">{html.escape(element["placeholder"]["text"])} ▾</span>'
    return f'<span class="button {element.get("style", "")}">{html.escape(element["text"]["text"])}</span>'


def _markup(text: str) -> str:
    """Slack's markup as HTML; it is escaped already."""
    text = re.sub(r"<!date\^(\d+)\^([^|]+)\|[^>]*>", lambda found: _date(int(found[1]), found[2]), text)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    text = re.sub(r"(?<!\w)\*([^*\n]+)\*(?!\w)", r"<b>\1</b>", text)
    return _discs(re.sub(r"(?<!\w)_([^_\n]+)_(?!\w)", r"<i>\1</i>", text))


def _date(at: int, form: str) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    return form.replace("{time}", f"{moment:%H:%M}").replace("{date_short_pretty}", f"{moment:%b} {moment.day}")


def _discs(text: str) -> str:
    for sign, colour in _DISCS.items():
        text = text.replace(sign, f'<span class="disc" style="background:{colour}"></span>')
    return text
