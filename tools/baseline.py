"""Makes today's contract the released one, which later changes must not break: proto/baseline.binpb."""

import subprocess
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    buf = Path(sysconfig.get_path("scripts")) / "buf"
    command = [str(buf), "build", "proto", "--exclude-source-info", "-o", "proto/baseline.binpb"]
    subprocess.run(command, cwd=ROOT, check=True)
