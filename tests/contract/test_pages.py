"""The pages of the documentation: what they link to exists, and the map of pages leads to each of them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "gateway" / "README.md"})


def links(page: Path) -> list[Path]:
    """Targets inside the repository."""
    found = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    return [(page.parent / target).resolve() for target in found if "://" not in target]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Into the tree, and to other pages."""
    assert [str(target) for target in links(page) if not target.exists()] == []


@pytest.mark.parametrize("folder", ["docs", "docs/decisions"])
def test_the_map_has_every_page(folder: str) -> None:
    """A page that no map names is not found."""
    pages = {page for page in (ROOT / folder).glob("*.md") if page.name != "index.md"}
    assert pages <= set(links(ROOT / folder / "index.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_sections_that_are_linked_to_are_there(page: Path) -> None:
    """Of our own pages, by their headings."""
    found = re.findall(r"\]\(([^)#\s:]*\.md)?#([^)\s]+)\)", page.read_text(encoding="utf-8"))
    lost = [(file, anchor) for file, anchor in found if anchor not in anchors(page.parent / file if file else page)]
    assert lost == []


def anchors(page: Path) -> set[str]:
    """Of a page's headings, as web sites of repositories make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
