"""The browser tag without a browser: its parts, what is built of them, and the shared cases that concern it."""

from pathlib import Path

import pytest

from tests.integration.clients.conftest import write_down
from tests.support.client_front import load_cases
from tests.support.javascript import built_package, run_suite

SUITE_SECONDS = 60
FILES = ("statuses", "backoff")


@pytest.mark.timeout(SUITE_SECONDS + 120)
def test_the_tags_own_tests_pass(tmp_path: Path) -> None:
    """Every test that stands beside it, and every case of the files that it takes part in."""
    package = built_package("browser")
    files = sorted(str(path.relative_to(package)) for path in package.glob("test/*.test.mjs"))
    done, outcomes = run_suite(package, tmp_path / "report.xml", files, seconds=SUITE_SECONDS)
    for (file, case), outcome in outcomes.items():
        write_down("Tag in Chromium", file, case, outcome)
    assert done.returncode == 0, done.stdout[-6000:]
    assert set(outcomes) == {(file, case["name"]) for file in FILES for case in load_cases(file)}
