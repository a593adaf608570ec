"""Known vulnerabilities of the pinned Python packages, by pip-audit out of OSV's data.

Fails where a version without the fault is to be had. One without a fix is told and fails nothing; nor does data that
cannot be reached.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
CONSTRAINTS: Final = ROOT / "constraints.txt"
# A question per package, one after the other.
MOST_SECONDS: Final = 90
ANSWER_SECONDS: Final = 5


def ask() -> dict[str, Any] | None:
    """pip-audit's report; None where it has none to give."""
    command = [
        *(sys.executable, "-m", "pip_audit", "--requirement", str(CONSTRAINTS), "--no-deps", "--disable-pip"),
        *("--vulnerability-service", "osv", "--timeout", str(ANSWER_SECONDS)),
        *("--format", "json", "--progress-spinner", "off"),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS, check=False)
        report: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return None
    return report if any("vulns" in package for package in report["dependencies"]) else None


def judge(report: dict[str, Any]) -> tuple[list[str], list[str]]:
    """What must be fixed, and what has no fix yet."""
    fixable, others = [], []
    for package in report["dependencies"]:
        for fault in package.get("vulns", ()):
            line = f"{package['name']} {package['version']}: {fault['id']}"
            if fault["fix_versions"]:
                fixable.append(f"{line}, fixed in {', '.join(fault['fix_versions'])}")
            else:
                others.append(f"{line}, no version without it yet")
    return fixable, others


def main() -> int:
    """Say what was found; 1 where something is to be done."""
    report = ask()
    if report is None:
        print("audit: skipped, the data on vulnerabilities cannot be reached from here")
        return 0
    fixable, others = judge(report)
    for line in fixable + others:
        print(f"audit: {line}")
    return 1 if fixable else 0


if __name__ == "__main__":
    sys.exit(main())
