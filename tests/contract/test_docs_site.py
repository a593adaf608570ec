"""The documentation site builds without a warning, and has every address that an answer, an alert or a page gives.

Built once; a warning of Sphinx, such as a link to a section that is gone, fails the build.
"""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
import yaml

from qrumb_server.reasons import calls, gateway
from qrumb_server.reasons.entry import DOCS_URL, help_url
from qrumb_server.reasons.events import MARKS, VIOLATIONS, WARNINGS
from tools.docs_site import SITE_URL, build, map_of_pages

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).resolve().parent.parent.parent
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"


class _Page(HTMLParser):
    """The ids and the links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.ids |= {said["id"] or ""} if "id" in said else set()
        self.links += [value for name, value in attrs if name in {"href", "src"} and value]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder."""
    return build(tmp_path_factory.mktemp("docs"))


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, _Page]:
    """By address, as `/errors/`."""
    return {
        f"/{file.parent.relative_to(site)}/".replace("/./", "/"): _Page(file.read_text(encoding="utf-8"))
        for file in site.rglob("index.html")
    }


def names() -> Iterator[str]:
    """Of everything that an answer can give as its reason."""
    yield from (*VIOLATIONS, *WARNINGS, *MARKS)
    yield from (reason.name for reason in (*calls.TABLE, *gateway.TABLE))


def test_help_addresses_lead_to_sections(pages: dict[str, _Page]) -> None:
    """Each `help_url` of an answer: the page and the section."""
    assert urlsplit(DOCS_URL)[:2] == urlsplit(SITE_URL)[:2]
    addresses = [urlsplit(help_url(name)) for name in names()]
    assert len(addresses) > 80
    assert [one.fragment for one in addresses if one.fragment not in pages[f"{one.path}/"].ids] == []


def test_runbooks_of_alerts_are_there(pages: dict[str, _Page]) -> None:
    """Each alert's section."""
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    lost = [
        rule["alert"] for rule in rules if rule["annotations"]["runbook"].split("#")[1] not in pages["/runbook/"].ids
    ]
    assert lost == []


def test_every_link_inside_the_site_leads_somewhere(site: Path, pages: dict[str, _Page]) -> None:
    """Pages, sections, pictures and files, as a browser finds them."""
    lost = []
    for address, page in pages.items():
        for link in page.links:
            target = urlsplit(urljoin(f"https://site{address}", link))
            if target.netloc != "site" or target.scheme != "https":
                continue
            there = pages.get(target.path)
            if there is None:
                is_lost = not (site / unquote(target.path).lstrip("/")).is_file()
            else:
                is_lost = bool(target.fragment) and unquote(target.fragment) not in there.ids
            lost += [(address, link)] if is_lost else []
    assert lost == []


def test_the_map_for_programs_leads_to_every_page(site: Path) -> None:
    """llms.txt names the pages of docs/index.md, each of which is there as Markdown."""
    said = re.findall(rf"\({re.escape(SITE_URL)}([^)]+)\)", (site / "llms.txt").read_text(encoding="utf-8"))
    assert len(said) == sum(entry.target.suffix == ".md" for entries in map_of_pages().values() for entry in entries)
    assert [name for name in said if not (site / name).is_file()] == []


def test_the_search_knows_the_reasons(site: Path) -> None:
    """Its index has their sections, so that a reason pasted from an answer is found."""
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert [name for name in names() if f'"{name}"' not in index] == []
