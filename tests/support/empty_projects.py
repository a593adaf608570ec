"""A project of a user's, outside this repository, for each client: what tools/release.py built is installed as from a
registry, and the first event of the client's README is the whole program.
"""

import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.patience import patient

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "tools"))

import go_toolchain
import maven
import release

__all__ = ["PROJECTS", "Project", "first_event", "go_project", "java_project", "node_project", "python_project"]

# Installing fetches what the client needs; a compiler may have to build gRPC.
INSTALL_SECONDS: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Where it is, and how its program is run."""

    folder: Path
    command: Sequence[str]

    def start(self, **environment: str) -> subprocess.Popen[str]:
        """Run the program with what QRUMB_URL and QRUMB_KEY say; its output is one text."""
        return subprocess.Popen(
            self.command,
            cwd=self.folder,
            env={**_clean(), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def first_event(client: str, language: str) -> str:
    """The first example of a client's README."""
    readme = (release.ROOT / "clients" / client / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"```{language}\n(.*?)```", readme, re.DOTALL)
    assert found, f"the README of clients/{client} has no {language}"
    return found[1]


def python_project(folder: Path, dist: Path) -> Project:
    """A fresh virtual environment."""
    venv.create(folder / "venv", with_pip=True)
    python = str(folder / "venv" / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--find-links", str(dist / "python"), f"qrumb=={release.VERSION}"]
    _run(pip, folder, PIP_CONSTRAINT=str(release.ROOT / "constraints.txt"))
    (folder / "main.py").write_text(first_event("python", "python"), encoding="utf-8")
    return Project(folder=folder, command=[python, "main.py"])


def node_project(folder: Path, dist: Path) -> Project:
    """An npm project, with the tag for its pages beside the client."""
    (folder / "package.json").write_text('{"name": "shop", "private": true}', encoding="utf-8")
    packed = [str(dist / "npm" / f"qrumb-{name}-{release.VERSION}.tgz") for name in ("client", "browser")]
    _run(["npm", "install", "--no-audit", "--no-fund", "--silent", *packed], folder)
    (folder / "main.mjs").write_text(first_event("typescript", "js"), encoding="utf-8")
    return Project(folder=folder, command=["node", "main.mjs"])


GO_MAIN: Final = """package main

import (
\t"context"
\t"errors"
\t"fmt"
\t"os"
\t"time"

\tqrumb "github.com/qrumb/qrumb-go"
\t"github.com/qrumb/qrumb-go/qrumbv1"
)

func run(ctx context.Context) error {
%s}

func main() {
\tif err := run(context.Background()); err != nil {
\t\tfmt.Fprintln(os.Stderr, err)
\t\tos.Exit(1)
\t}
}
"""


def go_project(folder: Path, dist: Path) -> Project:
    """A module; the client comes from a proxy of files, and what it needs from what the set-up has downloaded."""
    downloaded = go_toolchain.CACHES / "path" / "pkg" / "mod" / "cache" / "download"
    environment = {
        **go_toolchain.environment(go_toolchain.CACHES),
        "GOPROXY": f"file://{dist / 'go'},file://{downloaded}",
        "GOMODCACHE": str(folder / "modules"),
        "GONOSUMDB": "*",
    }
    (folder / "main.go").write_text(GO_MAIN % first_event("go", "go"), encoding="utf-8")
    go = str(go_toolchain.GO)
    _run([go, "mod", "init", "example.com/shop"], folder, **environment)
    _run([go, "get", f"github.com/qrumb/qrumb-go@v{release.VERSION}"], folder, **environment)
    _run([go, "build", "-o", "shop", "."], folder, **environment)
    return Project(folder=folder, command=["./shop"])


JAVA_MAIN: Final = """import dev.qrumb.Client;
import dev.qrumb.Event;
import java.math.BigDecimal;

public class Main {
  public static void main(String[] arguments) {
%s  }
}
"""
POM: Final = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>com.example</groupId>
  <artifactId>shop</artifactId>
  <version>1</version>
  <properties>
    <maven.compiler.release>17</maven.compiler.release>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <repositories>
    <repository>
      <id>dist</id>
      <url>file://{repository}</url>
    </repository>
  </repositories>
  <dependencies>
    {dependency}
  </dependencies>
  <build>
    <plugins>
      <plugin>
        <artifactId>maven-resources-plugin</artifactId>
        <version>3.5.0</version>
      </plugin>
      <plugin>
        <artifactId>maven-compiler-plugin</artifactId>
        <version>3.15.0</version>
      </plugin>
      <plugin>
        <artifactId>maven-dependency-plugin</artifactId>
        <version>3.11.0</version>
      </plugin>
    </plugins>
  </build>
</project>
"""


def java_project(folder: Path, dist: Path) -> Project:
    """A Maven project with the dependency as the README states it; only dist/ has the client."""
    forget_java_client()
    source = folder / "src" / "main" / "java"
    source.mkdir(parents=True)
    (source / "Main.java").write_text(JAVA_MAIN % first_event("java", "java"), encoding="utf-8")
    pom = POM.format(repository=dist / "maven", dependency=first_event("java", "xml"))
    (folder / "pom.xml").write_text(pom, encoding="utf-8")
    done = maven.mvn("compile", "dependency:build-classpath", "-Dmdep.outputFile=path.txt", folder=folder)
    assert done.returncode == 0, done.stdout[-4000:]
    forget_java_client()
    path = (folder / "path.txt").read_text()
    # Kept where a later build's client does not take its place.
    [own] = [part for part in path.split(":") if "qrumb-client" in part]
    jar = dist / "maven" / "dev" / "qrumb" / "qrumb-client" / release.VERSION / Path(own).name
    return Project(folder=folder, command=["java", "-cp", f"target/classes:{path.replace(own, str(jar))}", "Main"])


def forget_java_client() -> None:
    """Maven keeps what it once had, and looks for no other of the same version."""
    shutil.rmtree(maven.FETCHED / "repository" / "dev" / "qrumb", ignore_errors=True)


PROJECTS: Final[dict[str, Callable[[Path, Path], Project]]] = {
    "python": python_project,
    "node": node_project,
    "go": go_project,
    "java": java_project,
}
"""By language."""


def _clean() -> dict[str, str]:
    """This environment, without what leads Python back into this repository."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


def _run(command: Sequence[str], folder: Path, **environment: str) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**_clean(), **environment},
        capture_output=True,
        text=True,
        timeout=patient(INSTALL_SECONDS),
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
