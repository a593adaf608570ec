"""A node answers as docs/openapi.yaml says, whatever it is asked: schemathesis makes the requests.

In a process of its own: its pytest plugin and Hypothesis settings are not ours. It takes two seconds of a processor for
an operation: an eighth of them, drawn anew, are asked in a run of the default suite, and all by `make full`.
"""

import random
import re
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests.support.examples import costly_examples, examples
from tests.support.patience import patient
from tests.support.stack import Stack

ROOT = Path(__file__).resolve().parent.parent.parent.parent
DOCUMENT = ROOT / "docs/openapi.yaml"
SCHEMATHESIS = Path(sysconfig.get_path("scripts")) / "schemathesis"
# Every status is in the document. Methods have tests of their own in gateway/.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)

pytestmark = pytest.mark.stack


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_answer_is_one_that_the_document_has(stack: Stack, tmp_path: Path) -> None:
    """No server error, and status, headers, content type and body as documented, over requests right and wrong."""
    names = re.findall(r"operationId: (\w+)", DOCUMENT.read_text(encoding="utf-8"))
    asked = random.SystemRandom().sample(names, costly_examples(len(names)))
    done = subprocess.run(
        [
            *(str(SCHEMATHESIS), "run", str(DOCUMENT), f"--url={stack.url}", f"--checks={','.join(CHECKS)}"),
            *("--phases=coverage,fuzzing", f"--max-examples={examples(12)}", "--seed=1", "--suppress-health-check=all"),
            *(f"--include-operation-id={name}" for name in asked),
            *("--continue-on-failure", "--no-color", "--warnings=off"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=patient(240),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = re.search(r"([0-9,]+) generated", done.stdout)
    assert made, done.stdout
    assert int(made[1].replace(",", "")) > 10 * len(asked)
