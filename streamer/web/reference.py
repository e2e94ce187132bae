"""Writes the reference of the metrics from their declarations: `python -m streamer.web.reference docs/metrics.md`."""

import re
import sys
from pathlib import Path

from streamer.web.metrics import Declared, Metrics

_ABOUT = """# Metrics

`/metrics` of the worker, of the front door, of the live page and of `tidegate gateway`, in Prometheus' text format.
Which of them mean that somebody has to look: the rules in `docker/prometheus/rules.yml`. This page is made of the
declarations in the code by `make schemas`.

| metric | kind | labels | meaning |
|---|---|---|---|
"""
_PAGE = re.compile(r"docs/([\w-]+)\.md")


def reference() -> str:
    """Give the page, in Markdown; a page of the documents that a meaning names becomes a link."""
    return _ABOUT + "\n".join(map(_row, Metrics().declared)) + "\n"


def _row(metric: Declared) -> str:
    labels = ", ".join(f"`{name}`" for name in metric.labels)
    about = _PAGE.sub(r"[\1](\1.md)", metric.about.replace("|", "\\|"))
    return f"| `{metric.name}` | {metric.kind} | {labels} | {about} |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
