"""What is published is in step, and says what a registry asks for; what needs no build is looked at here.

tests/integration/clients/test_published.py builds and installs it all.
"""

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from release import PACKAGES, REPOSITORY, VERSION  # noqa: E402

CLIENTS = ROOT / "clients"
MOST_LINES = 13
"""Of the first event in a README, which a formatter has made longer in some languages."""


def toml(path: str) -> dict[str, Any]:
    """A file of the repository."""
    return tomllib.loads((ROOT / path).read_text(encoding="utf-8"))


def package_json(client: str, name: str = "package.json") -> dict[str, Any]:
    """Of an npm package."""
    found: dict[str, Any] = json.loads((CLIENTS / client / name).read_text(encoding="utf-8"))
    return found


def pom(path: str) -> str:
    """An element of the Java client's."""
    return ElementTree.parse(CLIENTS / "java" / "pom.xml").findtext(
        "/".join(f"{{*}}{part}" for part in path.split("/")), ""
    )


def stated_versions() -> dict[str, list[str]]:
    """By file, wherever a version of ours stands."""
    texts = {
        "clients/go/phone/go.mod": r"github\.com/qrumb/qrumb-go v(\S+)\n",
        "clients/java/README.md": r"<version>(.*?)</version>",
        "deploy/compose/compose.yaml": r"qrumb(?:-gateway)?:(\d[\w.]*)",
        "deploy/README.md": r"qrumb(?:-gateway)?:(\d[\w.]*)",
        "deploy/helm/qrumb/Chart.yaml": r"^(?:version|appVersion): (.*)$",
    }
    found = {
        path: re.findall(pattern, (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
        for path, pattern in texts.items()
    }
    for path in ("pyproject.toml", "clients/python/pyproject.toml", "server/hotpath/pyproject.toml"):
        found[path] = [toml(path)["project"]["version"]]
    found["server/hotpath/Cargo.toml"] = [toml("server/hotpath/Cargo.toml")["package"]["version"]]
    found["clients/java/pom.xml"] = [pom("version")]
    for client in ("typescript", "browser"):
        lock = package_json(client, "package-lock.json")
        found[client] = [package_json(client)["version"], lock["version"], lock["packages"][""]["version"]]
    return found


def test_there_is_one_version() -> None:
    """The contract's is the server's and every client's."""
    assert {path: set(versions) for path, versions in stated_versions().items()} == {
        path: {VERSION} for path in stated_versions()
    }


@pytest.mark.parametrize("client", [client for client in PACKAGES if client != "go"])
def test_its_changes_are_told(client: str) -> None:
    """Go's are in the repository's own changelog: a module has no page for them."""
    text = (CLIENTS / client / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## {re.escape(VERSION)}\b", text, re.MULTILINE)


def test_each_package_says_what_a_registry_shows() -> None:
    """Licence, home, repository, and what it is for."""
    home = toml("pyproject.toml")["project"]["urls"]["Homepage"]
    python = toml("clients/python/pyproject.toml")["project"]
    said = {
        "python": (python["license"], python["urls"]["Homepage"], python["urls"]["Repository"], python["description"]),
        "java": (pom("licenses/license/name"), pom("url"), pom("scm/url"), pom("description")),
    }
    for client in ("typescript", "browser"):
        found = package_json(client)
        repository = found["repository"]["url"].removeprefix("git+").removesuffix(".git")
        said[client] = (found["license"], found["homepage"], repository, found["description"])
        assert found["repository"]["directory"] == f"clients/{client}"
        assert found["publishConfig"] == {"access": "public"}
    assert {client: words[:3] for client, words in said.items()} == dict.fromkeys(
        said, ("Apache-2.0", home, REPOSITORY)
    )
    assert all(words[3].endswith(".") for words in said.values())
    assert pom("developers/developer/name")


@pytest.mark.parametrize(
    ("client", "language"),
    [("python", "python"), ("typescript", "js"), ("go", "go"), ("java", "java"), ("browser", "html")],
)
def test_a_readme_begins_with_a_first_event(client: str, language: str) -> None:
    """In ten lines or so, on the page that the registry shows."""
    text = (CLIENTS / client / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert found
    assert len(re.findall(r"^.*\S", found[1], re.MULTILINE)) <= MOST_LINES
    assert "docs/releasing.md" in text


def test_that_names_are_placeholders_is_said_once() -> None:
    """So that one page is changed when there are accounts."""
    pages = [*CLIENTS.glob("*/README.md"), *(ROOT / "docs").glob("*.md"), CLIENTS / "java" / "pom.xml"]
    spoken = [
        str(page.relative_to(ROOT))
        for page in pages
        if re.search(
            r"placeholder (?:module|group)|until the project has|not published", page.read_text(encoding="utf-8")
        )
    ]
    assert spoken == ["docs/releasing.md"]
