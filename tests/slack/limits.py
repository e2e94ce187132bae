"""What Slack publishes about messages (docs.slack.dev, Block Kit reference), as checks that name what is wrong.

Only the blocks and fields that Tidegate may use are known here; anything else is refused, so that a new one is
looked up before it is sent. Each problem is worded as Slack words it, with the place in the payload.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

MESSAGE_TEXT, MESSAGE_BLOCKS = 40_000, 50
HEADER, SECTION, FIELD, CONTEXT = 150, 3000, 2000, 3000
FIELDS, CONTEXT_ELEMENTS, ACTIONS = 10, 10, 25
BUTTON_TEXT, ACTION_ID, BUTTON_VALUE, URL, ALT_TEXT, BLOCK_ID = 75, 255, 2000, 3000, 2000, 255
PLACEHOLDER, OPTIONS, OPTION_TEXT, OPTION_VALUE = 150, 100, 75, 150
CONFIRM = {"title": 100, "text": 300, "confirm": 30, "deny": 30}
VIEW_BLOCKS, VIEW_TITLE, METADATA, LABEL = 100, 24, 3000, 2000
MOMENT_DIGITS = 10

Problems = Iterator[str]


def problems_of(blocks: object) -> list[str]:
    """List all that Slack would refuse in a message's blocks."""
    if not isinstance(blocks, list):
        return ["[ERROR] must be an array [json-pointer:/blocks]"]
    found = [problem for index, block in enumerate(blocks) for problem in _block(block, f"/blocks/{index}")]
    if len(blocks) > MESSAGE_BLOCKS:
        found.append(_says("no more than 50 items allowed", "/blocks"))
    named = [block["block_id"] for block in blocks if isinstance(block, dict) and "block_id" in block]
    if len(named) != len(set(named)):
        found.append(_says("`block_id` must be unique", "/blocks"))
    return found


def problems_of_view(view: object) -> list[str]:
    """List all that Slack would refuse in a modal."""
    return list(_view(view)) if isinstance(view, dict) else [_says("must be an object", "/view")]


def _view(view: Mapping[str, Any]) -> Problems:
    fields = ("callback_id", "title", "submit", "close", "private_metadata", "blocks", "external_id", "clear_on_close")
    yield from _only(view, "/view", *fields, "notify_on_close", "submit_disabled")
    if view.get("type") != "modal":
        yield _says("must be modal", "/view/type")
    for name in ("title", "submit", "close"):
        if name in view or name == "title":
            yield from _text(view.get(name), VIEW_TITLE, f"/view/{name}", "plain_text")
    for name, most in (("callback_id", ACTION_ID), ("private_metadata", METADATA), ("external_id", ACTION_ID)):
        if name in view:
            yield from _string(view[name], most, f"/view/{name}")
    blocks = _items(view, "blocks")
    if not 1 <= len(blocks) <= VIEW_BLOCKS:
        yield _says("must have 1 to 100 items", "/view/blocks")
    if any(block.get("type") == "input" for block in blocks if isinstance(block, dict)) and "submit" not in view:
        yield _says("`submit` is required where there is an input", "/view/submit")
    for index, block in enumerate(blocks):
        at = f"/view/blocks/{index}"
        yield from _input(block, at) if isinstance(block, dict) and block.get("type") == "input" else _block(block, at)


def _input(block: Mapping[str, Any], at: str) -> Problems:
    yield from _only(block, at, "label", "hint", "element", "optional", "dispatch_action")
    if "block_id" in block:
        yield from _string(block["block_id"], BLOCK_ID, f"{at}/block_id")
    yield from _text(block.get("label"), LABEL, f"{at}/label", "plain_text")
    if "hint" in block:
        yield from _text(block["hint"], LABEL, f"{at}/hint", "plain_text")
    element = block.get("element")
    if not isinstance(element, dict) or element.get("type") != "datetimepicker":
        yield _says("unsupported type", f"{at}/element")
        return
    yield from _only(element, f"{at}/element", "action_id", "initial_date_time", "confirm", "focus_on_load")
    yield from _string(element.get("action_id"), ACTION_ID, f"{at}/element/action_id")
    begin = element.get("initial_date_time", 10**9)
    if not isinstance(begin, int) or len(str(begin)) != MOMENT_DIGITS:
        yield _says("must be a UNIX timestamp of 10 digits", f"{at}/element/initial_date_time")


def _block(block: object, at: str) -> Problems:
    check = _BLOCKS.get(block.get("type", "")) if isinstance(block, dict) else None
    if not isinstance(block, dict) or check is None:
        yield _says("unsupported type", at)
        return
    if "block_id" in block:
        yield from _string(block["block_id"], BLOCK_ID, f"{at}/block_id")
    yield from check(block, at)


def _header(block: Mapping[str, Any], at: str) -> Problems:
    yield from _only(block, at, "text")
    yield from _text(block.get("text"), HEADER, f"{at}/text", "plain_text")


def _section(block: Mapping[str, Any], at: str) -> Problems:
    yield from _only(block, at, "text", "fields", "accessory")
    if "text" not in block and not block.get("fields"):
        yield _says("must define either `text` or `fields`", at)
    if "text" in block:
        yield from _text(block["text"], SECTION, f"{at}/text")
    for index, field in enumerate(_items(block, "fields")):
        yield from _text(field, FIELD, f"{at}/fields/{index}")
    if len(_items(block, "fields")) > FIELDS:
        yield _says("no more than 10 items allowed", f"{at}/fields")
    if "accessory" in block:
        yield from _element(block["accessory"], f"{at}/accessory")


def _context(block: Mapping[str, Any], at: str) -> Problems:
    yield from _only(block, at, "elements")
    elements = _items(block, "elements")
    if not 1 <= len(elements) <= CONTEXT_ELEMENTS:
        yield _says("must have 1 to 10 items", f"{at}/elements")
    for index, element in enumerate(elements):
        if isinstance(element, dict) and element.get("type") == "image":
            yield from _image(element, f"{at}/elements/{index}")
        else:
            yield from _text(element, CONTEXT, f"{at}/elements/{index}")


def _actions(block: Mapping[str, Any], at: str) -> Problems:
    yield from _only(block, at, "elements")
    elements = _items(block, "elements")
    if not 1 <= len(elements) <= ACTIONS:
        yield _says("must have 1 to 25 items", f"{at}/elements")
    for index, element in enumerate(elements):
        yield from _element(element, f"{at}/elements/{index}")
    named = [element.get("action_id") for element in elements if isinstance(element, dict)]
    if len(named) != len(set(named)):
        yield _says("`action_id` must be unique in its block", f"{at}/elements")


def _divider(block: Mapping[str, Any], at: str) -> Problems:
    yield from _only(block, at)


def _image(block: Mapping[str, Any], at: str) -> Problems:
    yield from _only(block, at, "image_url", "slack_file", "alt_text", "title")
    if ("image_url" in block) == ("slack_file" in block):
        yield _says("must define either `image_url` or `slack_file`", at)
    if "image_url" in block:
        yield from _string(block["image_url"], URL, f"{at}/image_url")
    if "slack_file" in block:
        file = block["slack_file"]
        yield from _string(file.get("id") if isinstance(file, dict) else None, ACTION_ID, f"{at}/slack_file/id")
    yield from _string(block.get("alt_text"), ALT_TEXT, f"{at}/alt_text")
    if "title" in block:
        yield from _text(block["title"], ALT_TEXT, f"{at}/title", "plain_text")


def _element(element: object, at: str) -> Problems:
    if not isinstance(element, dict) or element.get("type") not in ("button", "image", "static_select"):
        yield _says("unsupported type", at)
    elif element["type"] == "static_select":
        yield from _select(element, at)
    elif element["type"] == "image":
        yield from _image(element, at)
    else:
        yield from _button(element, at)


def _button(button: Mapping[str, Any], at: str) -> Problems:
    yield from _only(button, at, "text", "action_id", "url", "value", "style", "confirm", "accessibility_label")
    yield from _text(button.get("text"), BUTTON_TEXT, f"{at}/text", "plain_text")
    for name, most in (("action_id", ACTION_ID), ("value", BUTTON_VALUE), ("url", URL)):
        if name in button:
            yield from _string(button[name], most, f"{at}/{name}")
    if button.get("style", "primary") not in ("primary", "danger"):
        yield _says("must be primary or danger", f"{at}/style")
    if "confirm" in button:
        yield from _confirm(button["confirm"], f"{at}/confirm")


def _select(select: Mapping[str, Any], at: str) -> Problems:
    yield from _only(select, at, "placeholder", "action_id", "options", "confirm")
    yield from _text(select.get("placeholder"), PLACEHOLDER, f"{at}/placeholder", "plain_text")
    yield from _string(select.get("action_id"), ACTION_ID, f"{at}/action_id")
    options = _items(select, "options")
    if not 1 <= len(options) <= OPTIONS:
        yield _says("must have 1 to 100 items", f"{at}/options")
    for index, option in enumerate(options):
        yield from _text(option.get("text"), OPTION_TEXT, f"{at}/options/{index}/text", "plain_text")
        yield from _string(option.get("value"), OPTION_VALUE, f"{at}/options/{index}/value")


def _confirm(confirm: Mapping[str, Any], at: str) -> Problems:
    yield from _only(confirm, at, *CONFIRM)
    for name, most in CONFIRM.items():
        yield from _text(confirm.get(name), most, f"{at}/{name}", "plain_text")


def _text(text: object, most: int, at: str, *kinds: str) -> Problems:
    """Check a text object, of 1 to `most` characters."""
    if not isinstance(text, dict) or text.get("type") not in (kinds or ("plain_text", "mrkdwn")):
        yield _says("must be a text object of an allowed type", at)
        return
    yield from _only(text, at, "text", "emoji" if text["type"] == "plain_text" else "verbatim")
    yield from _string(text.get("text"), most, f"{at}/text")


def _string(value: object, most: int, at: str) -> Problems:
    if not isinstance(value, str):
        yield _says("must be a string", at)
    elif not value.strip():
        yield _says("must be more than 0 characters", at)
    elif len(value) > most:
        yield _says(f"must be less than {most + 1} characters", at)


def _only(found: Mapping[str, Any], at: str, *allowed: str) -> Problems:
    for name in found.keys() - {"type", "block_id", *allowed}:
        yield _says("no such field", f"{at}/{name}")


def _items(block: Mapping[str, Any], name: str) -> list[Any]:
    items = block.get(name)
    return items if isinstance(items, list) else []


def _says(what: str, at: str) -> str:
    return f"[ERROR] {what} [json-pointer:{at}]"


_BLOCKS: dict[str, Callable[[Mapping[str, Any], str], Problems]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "actions": _actions,
    "divider": _divider,
    "image": _image,
}
