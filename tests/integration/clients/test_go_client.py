"""The Go client keeps what clients/cases promises of every client, against the same front and a real node."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.integration.clients.conftest import Keyed, WrittenDown
from tests.support.client_front import Front, load_cases
from tests.support.patience import patient
from tests.support.planned import generated

ROOT = Path(__file__).resolve().parent.parent.parent.parent
TOOL = [sys.executable, str(ROOT / "tools" / "go_toolchain.py")]
TESTS = {
    "TestHashes": "hashes",
    "TestAddresses": "addresses",
    "TestEventIDs": "event_ids",
    "TestEvents": "events",
    "TestRefusals": "refusals",
    "TestStatuses": "statuses",
    "TestBackoff": "backoff",
    "TestRedirect": "redirect",
    "TestCarry": "carry",
    "TestDelivery": "delivery",
    "TestScans": "scans",
    "TestNode": "node",
}
# The program that qrumbtest starts.
QRUMB = str(Path(sysconfig.get_path("scripts")) / "qrumb")
GO_USE = """package shop1

import (
	"testing"

	"github.com/qrumb/qrumb-go"
)

func TestPlan(t *testing.T) {
	event, err := AddToCart{Sku: "A1", Amount: 4.5, InStock: true, Tags: []any{"a"}}.ServerEvent(
		qrumb.ServerEvent{ScanSessionID: "s"}).Build()
	if err != nil || event.GetEventName() != "add_to_cart" || len(event.GetProperties().GetFields()) != 4 {
		t.Fatal(event, err)
	}
	page, err := (NewsletterOpened{}).BrowserEvent(qrumb.BrowserEvent{}).Build()
	if err != nil || page.GetSiteId() != "shop-1" {
		t.Fatal(page, err)
	}
}
"""
# Empty caches make it compile gRPC first.
BUILD_SECONDS = 900


def go(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the pinned Go in the client's folder."""
    return subprocess.run(
        [*TOOL, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
        timeout=patient(BUILD_SECONDS),
    )


def case_results(output: str) -> dict[tuple[str, str], str]:
    """Outcome by file and case, out of `go test -json`."""
    found = {}
    for line in output.splitlines():
        event: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
        test, *path = event.get("Test", "").split("/")
        if event.get("Action") in {"pass", "fail", "skip"} and test in TESTS and path and path != ["parallel"]:
            found[TESTS[test], path[-1]] = {"pass": "passed", "fail": "failed", "skip": "skipped"}[event["Action"]]
    return found


@pytest.mark.timeout(BUILD_SECONDS)
def test_go_code_is_formatted_and_vetted() -> None:
    """gofmt would change nothing of what is written by hand, and go vet finds nothing."""
    folders = (
        "clients/go",
        "clients/go/qrumbtest",
        "clients/go/internal/phonelib",
        "clients/go/phone",
        "examples/checkout_go",
    )
    own = [str(path) for folder in folders for path in (ROOT / folder).glob("*.go")]
    gofmt = Path(sysconfig.get_path("purelib")) / "go" / "bin" / "gofmt"
    assert subprocess.run([str(gofmt), "-l", *own], capture_output=True, text=True, check=True).stdout == ""
    for module in (".", "phone"):
        vetted = go("-C", module, "vet", "./...")
        assert vetted.returncode == 0, vetted.stderr


@pytest.mark.timeout(BUILD_SECONDS)
def test_what_is_made_of_plans_compiles(tmp_path: Path) -> None:
    """Formatted, vetted, and with a test of its own."""
    made, test = tmp_path / "plan.go", tmp_path / "plan_test.go"
    made.write_text(generated("go"))
    test.write_text(GO_USE)
    gofmt = Path(sysconfig.get_path("purelib")) / "go" / "bin" / "gofmt"
    assert subprocess.run([str(gofmt), "-l", str(made)], capture_output=True, text=True, check=True).stdout == ""
    client = ROOT / "clients" / "go"
    module = "module shop1" + (client / "go.mod").read_text().partition("qrumb-go")[2]
    wanted = f"require github.com/qrumb/qrumb-go v0.0.0\nreplace github.com/qrumb/qrumb-go => {client}\n"
    (tmp_path / "go.mod").write_text(module + wanted)
    shutil.copy(client / "go.sum", tmp_path)
    done = go("-C", str(tmp_path), "test", "-mod=mod", "-count=1", ".")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(BUILD_SECONDS)
def test_the_package_phone_decides_what_is_doubtful() -> None:
    """A module of its own, with the vectors that the client passes without it."""
    done = go("-C", "phone", "test", "-count=1", "-v", ".")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert done.stdout.count("--- PASS: TestHashes/") == len(load_cases("hashes"))


@pytest.mark.stack
@pytest.mark.timeout(BUILD_SECONDS)
def test_the_node_for_tests_starts() -> None:
    """qrumbtest, in an environment that has no settings of a node."""
    done = go("test", "-count=1", "-v", "./qrumbtest", QRUMB_COMMAND=QRUMB)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert "--- PASS: TestNode" in done.stdout


def test_the_example_of_the_readme_is_the_one_that_runs() -> None:
    """Line by line, in the Example that go test runs."""
    readme = (ROOT / "clients" / "go" / "README.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"```go\n(.*?)```", readme, re.DOTALL)
    tested = (ROOT / "clients" / "go" / "example_test.go").read_text(encoding="utf-8")
    assert textwrap.indent(shown, "\t").rstrip() in tested


def test_the_example_of_the_redirect_is_the_one_that_runs() -> None:
    """Block by block, in the Example that go test runs."""
    page = (ROOT / "docs" / "redirect.md").read_text(encoding="utf-8")
    tested = (ROOT / "clients" / "go" / "example_test.go").read_text(encoding="utf-8")
    shown = re.findall(r"```go\n(.*?)```", page, re.DOTALL)
    assert len(shown) == 2
    for block in shown:
        assert textwrap.indent(block, "\t").rstrip() in tested


@pytest.mark.stack
@pytest.mark.timeout(BUILD_SECONDS)
def test_go_client_passes_every_case(front: Front, keyed: Keyed, write_down: WrittenDown) -> None:
    """Each case of each file is run, passes, or is left out for a reason of the language."""
    race = ["-race"] if os.environ.get("GO_RACE") and shutil.which("cc") else []
    done = go(
        "test",
        "-json",
        "-count=1",
        *race,
        ".",
        QRUMB_FRONT=f"front: {front.grpc_url} {front.http_url} control {front.control_url}",
        QRUMB_NODE=f"grpc://{keyed.stack.grpc_target}",
        **keyed.environment(),
    )
    results = case_results(done.stdout)
    for (file, case), outcome in results.items():
        write_down("Go", file, case, outcome)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert set(results) == {(file, case["name"]) for file in TESTS.values() for case in load_cases(file)}
    skipped = {case for (_file, case), outcome in results.items() if outcome == "skipped"}
    assert skipped == {
        "event-time-without-zone",
        "too-many-requests",
        "bad-gateway",
        "request-timeout",
        "body-too-large",
    }
