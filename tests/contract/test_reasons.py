"""The table of reasons has no hole: every answer comes out of it, and everything in it is answered somewhere."""

import ast
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any

import pytest

from qrumb.v1.receipt_pb2 import EventWarning, Violation
from qrumb_server.model import FraudReason
from qrumb_server.reasons import calls, gateway
from qrumb_server.reasons.entry import HTTP_STATUS, Reason, Retry
from qrumb_server.reasons.events import MARKS, VIOLATIONS, WARNINGS, Finding
from qrumb_server.reasons.examples import EXAMPLES
from qrumb_server.rpc.faults import SPOOL_ANSWERS
from tests.support.verdict_cases import FILES, load_cases

ROOT = Path(__file__).resolve().parent.parent.parent
SERVER = ROOT / "server" / "qrumb_server"
TABLE = SERVER / "reasons"
# The one place that turns an entry into an answer.
ANSWERS = SERVER / "rpc" / "faults.py"
MODULES = sorted(path for path in SERVER.rglob("*.py") if "_pb2" not in path.name and TABLE not in path.parents)
NOW = datetime(2026, 7, 1, tzinfo=UTC)
# Of a call that raises or answers a reason: what is not a value of its text.
OWN_ARGUMENTS = {"field", "retry_after_seconds"}
CALLS = {name: value for name, value in vars(calls).items() if isinstance(value, Reason)}
ENTRIES = [pytest.param(name, value, id=name) for module in (calls, gateway) for name, value in vars(module).items()
           if isinstance(value, Reason)]  # fmt: skip


def used_entries(path: Path) -> Iterator[tuple[str, set[str] | None]]:
    """Entries of calls.py that a module names, with the values that it gives to the text; None: where it gives none."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    raised = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and (name := entry_of(node.args[0])):
            given = {keyword.arg for keyword in node.keywords if keyword.arg}
            raised.add(node.args[0])
            yield name, None if function_of(node) == "RequestRejected" else given - OWN_ARGUMENTS
    for node in ast.walk(tree):
        if node not in raised and (name := entry_of(node)):
            yield name, None


def entry_of(node: ast.AST) -> str:
    is_entry = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "calls"
    return node.attr if isinstance(node, ast.Attribute) and is_entry else ""


def function_of(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SERVER)))
def test_no_module_answers_beside_the_table(path: Path) -> None:
    """No status code, no ErrorInfo and no reason's name in a text of its own."""
    if path == ANSWERS:
        return
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"StatusCode\.|ErrorInfo\(|RetryInfo\(|\.abort\((?!error\.code\(\))", text)
    raised = re.findall(r"(?<!class )(?:RequestFault|RequestRejected|AccessDenied)\(\s*(\S+?)[,)]", text)
    assert [name for name in raised if not re.match(r"calls\.|denied\.reason", name)] == []


def test_every_entry_is_answered_somewhere() -> None:
    used = {name for path in MODULES for name, _values in used_entries(path)} | {"NOT_READY"}
    in_tables = {name for name, entry in CALLS.items() if entry in calls.NOT_READY.values()}
    assert set(CALLS) - used - in_tables == set(), "nothing raises these"
    assert used - set(CALLS) - {"NOT_READY"} == set(), "the table lacks these"


def test_each_text_gets_the_values_that_it_names() -> None:
    wrong = [
        f"{path.relative_to(SERVER)}: {name} needs {sorted(CALLS[name].placeholders)} and gets {sorted(values)}"
        for path in MODULES
        for name, values in used_entries(path)
        if values is not None and values != CALLS[name].placeholders
    ]
    assert wrong == []


def test_every_fault_of_the_spool_has_an_answer_with_a_delay() -> None:
    """It frees itself, so a sender must be told when to come again."""
    assert [reason.name for reason in SPOOL_ANSWERS.values() if reason.retry_after_seconds is None] == []


@pytest.mark.parametrize(("constant", "reason"), ENTRIES)
def test_an_entry_is_whole(constant: str, reason: Reason) -> None:
    assert re.fullmatch(r"[A-Z][A-Z_]+", reason.name)
    for sentence in (reason.cause, reason.advice):
        assert sentence.endswith("."), constant
    assert reason.text
    assert reason.code in HTTP_STATUS
    if reason.retry_after_seconds is not None:
        assert reason.retry is Retry.AFTER_DELAY


def test_a_name_shared_by_entries_is_that_of_one_kind() -> None:
    """An argument's entry is named after the violation; a status and a refusal for one cause share a name."""
    shared = [reason.name for reason in (*calls.TABLE, *gateway.TABLE)]
    for name in {name for name in shared if shared.count(name) > 1}:
        retries = {reason.retry is Retry.NO for reason in (*calls.TABLE, *gateway.TABLE) if reason.name == name}
        assert len(retries) == 1, name


@pytest.mark.parametrize(
    ("names", "findings"),
    [
        (set(Violation.Reason.keys()) - {"REASON_UNSPECIFIED"}, VIOLATIONS),
        (set(EventWarning.Code.keys()) - {"CODE_UNSPECIFIED"}, WARNINGS),
        (set(FraudReason), MARKS),
    ],
    ids=["violations", "warnings", "fraud marks"],
)
def test_every_finding_is_explained(names: set[str], findings: Mapping[str, Finding]) -> None:
    """A new value of the contract needs an entry in reasons/events.py."""
    assert {str(name) for name in names} == set(findings)
    assert [name for name, found in findings.items() if not (found.cause and found.advice)] == []


def test_the_gateway_says_nothing_but_the_table() -> None:
    """Every reply of gateway/envoy.yaml is an entry, every entry a reply, and no text stands in the template."""
    template = (ROOT / "gateway" / "envoy.yaml").read_text(encoding="utf-8")
    names = Template(template).get_identifiers()
    used = {name.partition("_")[2].upper() for name in names if name.startswith(("reply_", "text_", "headers_"))}
    entries: dict[str, Any] = {name: value for name, value in vars(gateway).items() if isinstance(value, Reason)}
    assert used - {"UNKNOWN_METHOD"} == set(entries)
    for name, reason in entries.items():
        assert (f"headers_{name.lower()}" in names) is (reason.retry_after_seconds is not None), name
    assert set(re.findall(r"(?:inline_string|message): (?!\$)(.*?)[,}]", template)) == {'"%LOCAL_REPLY_BODY%"'}


def test_what_a_sender_can_avoid_has_a_wrong_and_a_right_example() -> None:
    """The others are faults of the service, or Envoy's answer to what has no entry."""
    entries = {name: value for module in (gateway, calls) for name, value in vars(module).items()
               if isinstance(value, Reason)}  # fmt: skip
    ours = {"INTERNAL", "GATEWAY_FAULT", "REQUEST_REFUSED"}
    assert {name for name, entry in entries.items() if entry.retry is Retry.NO} - ours == set(EXAMPLES)
    assert len(entries) == len(calls.TABLE) + len(gateway.TABLE), "a name of both modules"


def test_what_can_be_wrong_with_an_event_has_a_wrong_and_a_right_example() -> None:
    """A golden verdict, or one of the table where none of them can say it."""
    shown = {
        kind for path in FILES for case in load_cases(path, NOW) for _field, kind in (*case.violations, *case.warnings)
    }
    ours = {"STORE_REFUSED", "INTERNAL", "SHARED_IDENTIFIER"}  # of several events together, or no sender's fault
    found = {name for name, finding in {**VIOLATIONS, **WARNINGS}.items() if finding.wrong and finding.right}
    assert {*VIOLATIONS, *WARNINGS} - shown - found - ours == set()
