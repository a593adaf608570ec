"""The Go checkout and the tests in Playwright; test_browser.py has the shop with its Python checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import httpx
import pytest

from tests.support.javascript import built_package, chromium, npm
from tests.support.patience import patient
from tests.support.plain_http import NO_TLS
from tests.support.stack import Stack

ROOT = Path(__file__).resolve().parent.parent.parent.parent
GO = [sys.executable, str(ROOT / "tools" / "go_toolchain.py")]
# Empty caches make it compile gRPC first.
BUILD_SECONDS = 900


@pytest.mark.stack
@pytest.mark.timeout(BUILD_SECONDS)
def test_the_go_checkout_reports_a_purchase(stack: Stack, tmp_path: Path) -> None:
    """What was bought is a row; the buyer is a known user; stopping it delivers what waits."""
    program = tmp_path / "checkout"
    build = [*GO, "build", "-C", str(ROOT / "examples" / "checkout_go"), "-o", str(program), "."]
    subprocess.run(build, check=True, timeout=patient(BUILD_SECONDS))
    environment = {**os.environ, "QRUMB_URL": f"grpc://{stack.grpc_target}"}
    basket = {"items": ["vase", "cup"], "session": "scan-go", "email": "Ada@Example.com"}
    with subprocess.Popen(
        [str(program), "-listen", "127.0.0.1:0"], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().removeprefix("checkout: ").strip()
            order = httpx.post(f"{url}/checkout", json=basket, verify=NO_TLS).json()
            assert httpx.post(f"{url}/checkout", content=b"no", verify=NO_TLS).status_code == 400
        finally:
            process.terminate()
    assert process.returncode == 0
    assert order["amount"] == 68.4
    stack.wait_for_rows(1, "scan_session_id = 'scan-go'")
    [row] = stack.query(
        "SELECT event_name, toFloat64(conversion_value) AS amount, conversion_currency AS currency, metadata, user_id "
        "FROM events.valid_events WHERE scan_session_id = 'scan-go'"
    )
    assert (row["event_name"], row["amount"], row["currency"]) == ("purchase", 68.4, "EUR")
    assert order["number"] in row["metadata"]
    assert row["user_id"], "the hash of the e-mail address names a user"


@pytest.mark.stack
@pytest.mark.long
@pytest.mark.timeout(BUILD_SECONDS)
def test_the_playwright_example_passes(tmp_path: Path) -> None:
    """With the runner from npm and the machine's own Chromium, against `qrumb micro`."""
    browser = chromium()
    tag = built_package("browser") / "dist" / "qrumb.js"
    package = shutil.copytree(
        ROOT / "examples" / "playwright", tmp_path / "shop", ignore=shutil.ignore_patterns("node_modules")
    )
    installed = npm(package, "ci", "--no-audit", "--no-fund")
    if installed.returncode != 0:
        pytest.skip(f"npm cannot install what the example needs: {installed.stderr[-300:]}")
    command = str(Path(sysconfig.get_path("scripts")) / "qrumb")
    done = subprocess.run(
        ["npx", "playwright", "test", f"--timeout={patient(60) * 1000:.0f}", "--reporter=line"],
        cwd=package,
        env={**os.environ, "CHROMIUM": browser, "QRUMB_COMMAND": command, "TAG": str(tag)},
        capture_output=True,
        text=True,
        timeout=patient(200),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
