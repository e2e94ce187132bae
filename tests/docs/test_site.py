"""The documents make a site in which each page can be reached, and no link leads nowhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("**/*.md"))
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_is_there(page: Path) -> None:
    links = [link for link in _LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert not [link for link in links if not (page.parent / link).exists()]


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"([\w/.-]+\.md)$", text, re.MULTILINE))
    assert named == {str(page.relative_to(DOCS)) for page in PAGES}
    assert yaml.safe_load(text)["theme"]["font"] is False, "the site loads nothing from elsewhere"


@pytest.mark.processes
def test_the_site_is_built(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    built = {str(page.relative_to(tmp_path / "site")) for page in (tmp_path / "site").glob("**/*.html")}
    pages = {str(page.relative_to(DOCS).with_suffix(".html")) for page in PAGES}
    assert {page.replace("README", "index") for page in pages} <= built
