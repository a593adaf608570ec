"""The Node client against a real node: its own tests, the shared cases, and the rows that they leave."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.integration.clients.conftest import Keyed, write_down
from tests.support.javascript import built_package, run_node, run_suite

SUITE_SECONDS = 240

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def package() -> Path:
    """clients/typescript with its tests compiled."""
    package = built_package("typescript")
    done = run_node(package, "node_modules/typescript/bin/tsc", "-p", "tsconfig.test.json", seconds=120)
    assert done.returncode == 0, done.stdout
    return package


@pytest.fixture(scope="module")
def suite(package: Path, keyed: Keyed) -> subprocess.CompletedProcess[str]:
    """One run of the client's tests, with the node at hand; its cases are written down."""
    files = sorted(str(path.relative_to(package)) for path in package.glob("build/test/*.test.js"))
    done, outcomes = run_suite(
        package,
        package / "build" / "report.xml",
        files,
        seconds=SUITE_SECONDS,
        QRUMB_GRPC=f"http://{keyed.stack.grpc_target}",
        **keyed.environment(),
    )
    for (file, case), outcome in outcomes.items():
        write_down("TypeScript", file, case, outcome)
    return done


@pytest.mark.timeout(SUITE_SECONDS + 120)
def test_the_clients_tests_pass(suite: subprocess.CompletedProcess[str]) -> None:
    """Those of its own, and every shared case that it does not leave out by name."""
    assert suite.returncode == 0, suite.stdout[-6000:]
    assert re.search(r"^ℹ fail 0$", suite.stdout, re.MULTILINE)


@pytest.mark.timeout(SUITE_SECONDS + 120)
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_thousand_events_are_a_thousand_rows(
    suite: subprocess.CompletedProcess[str], keyed: Keyed, compression: str
) -> None:
    """What the client was told is stored, once each and to the cent."""
    where = f"scan_session_id = 'thousand-{compression}'"
    keyed.stack.wait_for_rows(1000, where)
    [row] = keyed.stack.query(
        "SELECT toUInt32(uniqExact(event_id)) AS ids, toString(sum(conversion_value)) AS total, "
        f"toUInt32(sum(is_duplicate)) AS duplicates FROM events.valid_events WHERE {where}"
    )
    assert row["ids"] == 1000
    assert row["duplicates"] == 0
    assert float(row["total"]) == 5005.0


@pytest.mark.timeout(SUITE_SECONDS + 120)
def test_the_example_of_the_readme_works(package: Path, keyed: Keyed) -> None:
    """Copied as it stands, but for the address."""
    readme = (package / "README.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```js\n(.*?)```", readme, re.DOTALL)
    assert len(example.strip().splitlines()) <= 14
    # Beside node_modules/, so that the package finds itself by its own name.
    script = package / "build" / "readme-example.mjs"
    script.write_text(example.replace("http://127.0.0.1:9090", f"http://{keyed.stack.grpc_target}"), encoding="utf-8")
    done = run_node(package, str(script), seconds=60, **keyed.environment())
    assert done.returncode == 0, done.stderr
    keyed.stack.wait_for_rows(1, "event_name = 'purchase' AND toFloat64(conversion_value) = 49.9")
