"""The page's own files, and the headers that keep what is hostile in names from ever running."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Final

import msgspec

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
#: Everything comes from here, nothing is inline, nobody frames us, and no text becomes markup.
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class File(msgspec.Struct, frozen=True):
    """One file that is served."""

    body: bytes
    content_type: str


def shell() -> dict[str, File]:
    """Read all files of the page, by name. What is served is looked up in here, so that no path leads elsewhere."""
    folder = files("streamer.page") / "static"
    found = {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}
    return {name: File(body, _TYPES[name[name.rindex(".") :]]) for name, body in found.items()}
