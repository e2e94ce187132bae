"""Where the figures are kept between commands: build/quality.json."""

import json
from pathlib import Path
from typing import Any

PATH = Path(__file__).parents[2] / "build" / "quality.json"


def read() -> dict[str, Any]:
    """Read what is there, by part; empty where nothing was measured yet."""
    return dict(json.loads(PATH.read_text())) if PATH.exists() else {}


def keep(part: str, figures: object) -> None:
    """Put the figures of one part beside those of the others."""
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(json.dumps({**read(), part: figures}, indent=2) + "\n")
