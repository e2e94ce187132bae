"""docs/metrics.md says of every metric what its declaration says."""

import re
from pathlib import Path

from streamer.web.metrics import Metrics
from streamer.web.reference import reference

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"
# | `name` | kind | `label`, `label` | meaning |
ROW = re.compile(r"^\| `(tidegate_\w+)` \| (\w+) \|([^|]*)\| (.+) \|$", re.MULTILINE)


def test_the_page_is_as_the_declarations_make_it() -> None:
    assert PAGE.read_text() == reference(), "run `make schemas`"


def test_it_names_every_metric_with_its_labels_and_no_other() -> None:
    known = {
        family.name + ("_total" if family.type == "counter" else ""): (family.type, list(collector._labelnames))
        for collector in vars(Metrics()).values()
        if hasattr(collector, "describe")
        for family in collector.describe()
    }
    found = ROW.findall(reference())
    assert {name: (kind, re.findall(r"`(\w+)`", labels)) for name, kind, labels, _ in found} == known


def test_a_page_of_the_documents_that_a_meaning_names_is_a_link() -> None:
    assert "(see [routing](routing.md))" in reference()
