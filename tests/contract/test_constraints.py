"""constraints.txt pins every package that the set-up brings, so that a set-up tomorrow is the one of today."""

from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CONSTRAINTS = Path(__file__).resolve().parent.parent.parent / "constraints.txt"
# pip comes with Python and installs the others.
OURS = {"qrumb", "qrumb-server", "pip"}


def brought_by(name: str, extras: frozenset[str], seen: dict[str, str]) -> dict[str, str]:
    """Installed packages that `name` needs, by version, all the way down."""
    for line in requires(name) or ():
        needed = Requirement(line)
        if needed.marker and not any(needed.marker.evaluate({"extra": extra}) for extra in extras | {""}):
            continue
        key = canonicalize_name(needed.name)
        try:
            found = version(key)
        except PackageNotFoundError:
            continue
        if key not in seen:
            seen[key] = found
            brought_by(key, frozenset(needed.extras), seen)
    return seen


def test_every_package_of_the_set_up_is_pinned() -> None:
    """At the version that is installed."""
    lines = [line.strip().split("==") for line in CONSTRAINTS.read_text().splitlines() if "==" in line]
    pinned: dict[str, str] = {canonicalize_name(name): number for name, number in lines}
    brought = brought_by("qrumb-server", frozenset({"dev"}), {})
    assert len(brought) > 50
    assert {name: pinned.get(name) for name in brought.keys() - OURS} == {
        name: number for name, number in brought.items() if name not in OURS
    }
