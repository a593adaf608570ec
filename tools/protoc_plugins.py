"""Builds protoc's plugins that are written in Go into .venv/bin; everything else that Go makes is thrown away."""

import subprocess
import tempfile
from pathlib import Path
from typing import Final

from go_toolchain import GO, environment

PLUGINS: Final = (
    # gnostic is Google's. It keeps field names as the contract spells them and makes one document of all services.
    "github.com/google/gnostic/cmd/protoc-gen-openapi@v0.7.1",
    # The Go client's messages and stubs.
    "google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12",
    "google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2",
)


def main() -> None:
    """Run `go install` for each, with all folders of its own."""
    with tempfile.TemporaryDirectory(dir=GO.parent.parent, prefix=".go-") as scratch:
        settings = {**environment(Path(scratch)), "GOBIN": str(GO.parent)}
        for plugin in PLUGINS:
            subprocess.run([str(GO), "install", plugin], check=True, cwd=scratch, env=settings)


if __name__ == "__main__":
    main()
