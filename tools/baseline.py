"""Makes today's contract the released one, which later changes must not break: proto/baseline.binpb."""

import subprocess
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BASELINE = ROOT / "proto" / "baseline.binpb"


def build_image(target: Path, root: Path = ROOT) -> None:
    """Build an image of all .proto files below `root`, without comments."""
    buf = Path(sysconfig.get_path("scripts")) / "buf"
    subprocess.run([str(buf), "build", "--exclude-source-info", "-o", str(target)], cwd=root, check=True)


if __name__ == "__main__":
    build_image(BASELINE)
