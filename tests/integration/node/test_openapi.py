"""A node answers as docs/openapi.yaml says, whatever it is asked: schemathesis makes the requests.

In a process of its own: its pytest plugin and Hypothesis settings are not ours.
"""

import re
import subprocess
import sysconfig
from pathlib import Path

import pytest
import yaml

from tests.support.stack import Stack

ROOT = Path(__file__).resolve().parent.parent.parent.parent
DOCUMENT = ROOT / "docs/openapi.yaml"
SCHEMATHESIS = Path(sysconfig.get_path("scripts")) / "schemathesis"
# Not for what is left out below: every other status is in the document. Methods have tests of their own in gateway/.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
# Operations that answer UNIMPLEMENTED. Only ever shorter: a test below says which is built by now.
UNBUILT = {
    "PrivacyService_EraseSubject",
    "QueryService_CountEvents",
    "QueryService_GetFunnel",
    "QueryService_GetReceipt",
    "QueryService_ListRejectedEvents",
    "QueryService_TailEvents",
    "ScanSessionService_BatchRegisterScanSessions",
    "ScanSessionService_GetScanSession",
    "ScanSessionService_RegisterScanSession",
    "ValidatorService_ValidateBrowserEvent",
    "ValidatorService_ValidateServerEvent",
}

pytestmark = pytest.mark.stack


def operations() -> dict[str, tuple[str, str]]:
    """HTTP method and path of each operation."""
    paths = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))["paths"]
    return {
        operation["operationId"]: (verb, path) for path, verbs in paths.items() for verb, operation in verbs.items()
    }


@pytest.mark.slow
def test_every_answer_is_one_that_the_document_has(stack: Stack, tmp_path: Path) -> None:
    """No server error, and status, headers, content type and body as documented, over requests right and wrong."""
    left_out = [f"--exclude-operation-id={name}" for name in sorted(UNBUILT)]
    done = subprocess.run(
        [
            *(str(SCHEMATHESIS), "run", str(DOCUMENT), f"--url={stack.url}", f"--checks={','.join(CHECKS)}"),
            *("--phases=coverage,fuzzing", "--max-examples=30", "--seed=1", "--suppress-health-check=all"),
            *("--continue-on-failure", "--no-color", "--warnings=off", *left_out),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = re.search(r"([0-9,]+) generated", done.stdout)
    assert made, done.stdout
    assert int(made[1].replace(",", "")) > 300


@pytest.mark.parametrize("name", sorted(UNBUILT))
def test_what_is_left_out_above_is_not_built(stack: Stack, name: str) -> None:
    """Once it is: take it off the list."""
    verb, path = operations()[name]
    with stack.http() as http:
        answer = http.request(verb, re.sub(r"\{.*?\}", "x", path), json={} if verb == "post" else None)
    assert answer.status_code == 501, f"{name} is built: take it off the list UNBUILT"
