"""The documentation site: `python tools/docs_site.py [FOLDER]`, build/site unless told otherwise.

docs/index.md is the map: its sections and links become the site's navigation and llms.txt, and what it does not name is
no page. Pages are staged under the addresses of the site (docs/errors.md is `errors`, deploy/README.md is `deploy`);
links between them are kept, and those to other files lead to the repository. Then Sphinx builds them, and a warning,
such as a link that leads nowhere, is an error.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["SITE_URL", "build", "map_of_pages"]

ROOT: Final = Path(__file__).resolve().parent.parent
DOCS: Final = ROOT / "docs"
INDEX: Final = DOCS / "index.md"
REPOSITORY: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"][
    "Repository"
]
SITE_URL: Final = "https://qrumb.dev/"
"""Where the site is published; DOCS_URL of the server is a page of it."""
_SECTION: Final = re.compile(r"^## (.+)$", re.MULTILINE)
_ENTRY: Final = re.compile(r"^- \[([^\]]+)\]\(([^)]+)\)(?:: (.+(?:\n  .+)*))?$", re.MULTILINE)
_LINK: Final = re.compile(r"(\]\(|src=\")([^)#\s\"]+)((?:#[^)\"\s]*)?[)\"])")
_CODE: Final = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of the map."""

    title: str
    target: Path
    about: str


def map_of_pages() -> dict[str, list[Entry]]:
    """The sections of docs/index.md, in order."""
    _before, *parts = _SECTION.split(INDEX.read_text(encoding="utf-8"))
    return {
        heading: [
            Entry(title=title, target=_file(INDEX.parent / target), about=re.sub(r"\s+", " ", about))
            for title, target, about in _ENTRY.findall(text)
        ]
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
    }


def build(folder: Path) -> Path:
    """The site, in `folder`/site; raises CalledProcessError where something is wrong with it."""
    source, site = folder / "source", folder / "site"
    shutil.rmtree(folder, ignore_errors=True)
    sections = map_of_pages()
    pages = _addresses(sections)
    for file, address in pages.items():
        staged = source / f"{address}.md"
        staged.parent.mkdir(parents=True, exist_ok=True)
        staged.write_text(_with_links(file, address, pages, source), encoding="utf-8")
    with (source / "index.md").open("a", encoding="utf-8") as index:
        index.writelines(_navigation(heading, entries, pages) for heading, entries in sections.items())
    with (source / "decisions/index.md").open("a", encoding="utf-8") as index:
        index.write("\n```{toctree}\n:hidden:\n:glob:\n\n0*\n```\n")
    options = ("-W", "--keep-going", "--quiet", "--jobs", "2", "-b", "dirhtml", "-c", str(DOCS))
    subprocess.run([sys.executable, "-m", "sphinx", *options, str(source), str(site)], check=True)
    for address in pages.values():
        shutil.copy(source / f"{address}.md", site / f"{address}.md")
    (site / "llms.txt").write_text(_llms(sections, pages), encoding="utf-8")
    return site


def _file(path: Path) -> Path:
    """A path without `..`; a folder's page is its README."""
    whole = Path(os.path.normpath(path))
    return whole / "README.md" if (whole / "README.md").is_file() else whole


def _addresses(sections: Mapping[str, Sequence[Entry]]) -> dict[Path, str]:
    files = {INDEX, *(DOCS / "decisions").glob("*.md")}
    files |= {entry.target for entries in sections.values() for entry in entries if entry.target.suffix == ".md"}
    return {file: _address(file) for file in sorted(files)}


def _address(file: Path) -> str:
    name = file.relative_to(DOCS) if file.is_relative_to(DOCS) else file.relative_to(ROOT)
    if name.name == "README.md" and name.parent != Path():
        name = name.parent
    return str(name.with_suffix("")).lower() if name.suffix == ".md" else str(name)


def _with_links(file: Path, address: str, pages: Mapping[Path, str], source: Path) -> str:
    """A page's text, with its links as they have to be in the site. What stands in code is not a link."""

    def led(match: re.Match[str]) -> str:
        before, target, after = match.groups()
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        found = _file(file.parent / target)
        if found in pages:
            return f"{before}{os.path.relpath(f'{pages[found]}.md', Path(address).parent)}{after}"
        if found.is_relative_to(DOCS) and found.is_file():
            staged = source / found.relative_to(DOCS)
            staged.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(found, staged)
            return f"{before}{os.path.relpath(staged, (source / address).parent)}{after}"
        kind = "tree" if found.is_dir() else "blob"
        return f"{before}{REPOSITORY}/{kind}/main/{found.relative_to(ROOT)}{after}"

    parts = _CODE.split(file.read_text(encoding="utf-8"))
    return "".join(part if part.startswith("`") else _LINK.sub(led, part) for part in parts)


def _navigation(heading: str, entries: Sequence[Entry], pages: Mapping[Path, str]) -> str:
    lines = [f"{entry.title} <{pages[entry.target]}>" for entry in entries if entry.target in pages]
    return "\n".join(["", "```{toctree}", ":hidden:", f":caption: {heading}", "", *lines, "```", ""])


def _llms(sections: Mapping[str, Sequence[Entry]], pages: Mapping[Path, str]) -> str:
    """The map for programs that read: https://llmstxt.org, each page as its Markdown."""
    about = INDEX.read_text(encoding="utf-8").split("\n\n")[1].replace("\n", " ")
    lines = ["# qrumb", "", f"> {about}"]
    for heading, entries in sections.items():
        lines += ["", f"## {heading}", ""]
        lines += [
            f"- [{entry.title}]({SITE_URL}{pages[entry.target]}.md): {entry.about}"
            for entry in entries
            if entry.target in pages
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "docs")
