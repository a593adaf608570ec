"""Writes constraints.txt: every package of the environment at its version, and what builds our own packages."""

from importlib.metadata import distributions
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "constraints.txt"
OURS = {"qrumb", "qrumb-hotpath", "qrumb-server", "pip"}
HEADER = """\
# Every Python package that qrumb's set-up installs, at the version the tests ran with.
# Renewed by: make constraints
"""


def main() -> None:
    """Keep the lines of packages that are not installed here (the build back-end and what it needs)."""
    lines = [line for line in TARGET.read_text().splitlines() if "==" in line]
    pins = {line.split("==")[0].lower(): line for line in lines}
    for found in distributions():
        name = found.metadata["Name"]
        if name not in OURS:
            pins[name.lower()] = f"{name}=={found.version}"
    TARGET.write_text(HEADER + "\n".join(pins[name] for name in sorted(pins)) + "\n")


if __name__ == "__main__":
    main()
