"""The examples that need no browser, against a real node; test_browser.py has the shop with its Python checkout."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.patience import patient
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
            order = httpx.post(f"{url}/checkout", json=basket).json()
            assert httpx.post(f"{url}/checkout", content=b"no").status_code == 400
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
