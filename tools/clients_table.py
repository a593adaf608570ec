"""Writes the table of docs/clients.md: which client passes which case. `python tools/clients_table.py RESULTS`.

RESULTS is a file of JSON lines: {"client": "Go", "file": "delivery", "case": "restart", "outcome": "passed"}, with
passed, failed or skipped. A client without a line for a case was not run, or has no such thing.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parent.parent
TARGET: Final = ROOT / "docs" / "clients.md"
BEGIN, END = "<!-- cases: begin (make clients-test) -->", "<!-- cases: end -->"
# Vectors are counted; of behaviour each case is a row.
COUNTED: Final = ("addresses", "hashes", "event_ids", "events", "refusals", "statuses", "backoff", "redirect", "carry")
LISTED: Final = ("delivery", "scans", "spool", "node")
SIGNS: Final = {"passed": "yes", "failed": "**no**", "skipped": "-", "": ""}
# A page sends browser events alone, and hashes and builds nothing: the other files are not the tag's.
TAGS: Final = ("Tag in Chromium", "Tag in Firefox")
# These have no folder.
WITHOUT_SPOOL: Final = (*TAGS, "TypeScript")
FILES_OF_TAGS: Final = ("statuses", "backoff", "delivery", "node")
CLIENTS: Final = ("Go", "Java", "Python", "Python asyncio", "TypeScript", *TAGS)
# The vectors are the same code for both.
TWINS: Final = {"Python asyncio": "Python", "Tag in Firefox": "Tag in Chromium"}
Results = dict[str, dict[tuple[str, str], str]]


def load_cases(file: str) -> list[dict[str, Any]]:
    """The cases of one file."""
    cases: list[dict[str, Any]] = yaml.safe_load((ROOT / "clients" / "cases" / f"{file}.yaml").read_text())
    return cases


def read_results(path: Path) -> Results:
    """Outcomes by client, file and case; a failed one stays failed."""
    results: Results = defaultdict(dict)
    for line in path.read_text().splitlines():
        found = json.loads(line)
        key = (found["file"], found["case"])
        if results[found["client"]].get(key) != "failed":
            results[found["client"]][key] = found["outcome"]
    for twin, client in TWINS.items():
        for (file, case), outcome in results.get(client, {}).items():
            if file in COUNTED and twin in results:
                results[twin].setdefault((file, case), outcome)
    return results


def is_own(client: str, file: str) -> bool:
    """Whether a file of cases is of something that the client has."""
    if file == "spool":
        return client not in WITHOUT_SPOOL
    return client not in TAGS or file in FILES_OF_TAGS


def table(results: Results) -> str:
    """The generated section."""
    clients = sorted(results)
    head = f"| file | case | {' | '.join(clients)} |\n| --- | --- |{' --- |' * len(clients)}\n"
    rows = []
    for file in COUNTED:
        names = [case["name"] for case in load_cases(file)]
        counts = []
        for client in clients:
            if not is_own(client, file):
                counts.append(SIGNS["skipped"])
                continue
            outcomes = [results[client].get((file, name), "") for name in names]
            left_out = outcomes.count("skipped")
            counts.append(
                f"{outcomes.count('passed')} of {len(names)}" + (f", {left_out} not its own" if left_out else "")
            )
        rows.append(f"| {file} | all | {' | '.join(counts)} |")
    for file in LISTED:
        for case in load_cases(file):
            signs = [
                SIGNS[results[client].get((file, case["name"]), "" if is_own(client, file) else "skipped")]
                for client in clients
            ]
            rows.append(f"| {file} | {case['name']}: {case['promise']} | {' | '.join(signs)} |")
    return head + "\n".join(rows) + "\n"


def main(path: Path) -> None:
    """Put the table between its marks."""
    text = TARGET.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    results = read_results(path)
    TARGET.write_text(f"{before}{BEGIN}\n{table(results)}{END}{after}", encoding="utf-8")
    for client, outcomes in sorted(results.items()):
        found = list(outcomes.values())
        counts = ", ".join(f"{found.count(outcome)} {outcome}" for outcome in SIGNS if outcome in found)
        sys.stdout.write(f"{client}: {counts}\n")
    left_out = [name for name in CLIENTS if name not in results]
    sys.stdout.write(f"not run: {', '.join(left_out) or 'none'}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
