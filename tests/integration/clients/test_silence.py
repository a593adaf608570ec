"""What a client without hooks says where its events get nowhere: no node there, a key that is not known, a broken rule.

As a program of a user: what it prints and its exit code. Go and Java have the same as tests of their own.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.clients.conftest import Keyed
from tests.support.javascript import built_package, run_node
from tests.support.patience import patient

pytestmark = pytest.mark.stack

Run = Callable[..., subprocess.CompletedProcess[str]]
NO_NODE = "127.0.0.1:1"
SECRET = "secret-note"

PYTHON = """
import sys
from qrumb import Client, server_event
client = Client(sys.argv[1], key=sys.argv[2])
note = {"note": "secret-note"}
client.send(server_event(site_id="demo", event_name="lead", scan_session_id=sys.argv[3], properties=note))
client.close(float(sys.argv[4]))
"""
NODE = """
import { Client, serverEvent } from "@qrumb/client";
const [address, key, scanSessionId, seconds] = process.argv.slice(2);
const client = new Client({ address, key });
const properties = { note: "secret-note" };
await client.send(serverEvent({ siteId: "demo", eventName: "lead", scanSessionId, properties }));
await client.close(Number(seconds) * 1000);
"""


def run_python(address: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program with the Python client."""
    command = [sys.executable, "-c", PYTHON, address, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=patient(60), check=False)


@pytest.fixture(scope="module")
def run_javascript() -> Run:
    """The program with the Node client."""
    package: Path = built_package("typescript")
    script = package / "build" / "silence.mjs"  # beside node_modules/, so that the package finds itself by its own name
    script.parent.mkdir(exist_ok=True)
    script.write_text(NODE, encoding="utf-8")
    return lambda *arguments: run_node(package, str(script), *arguments, seconds=60)


@pytest.fixture(params=["Python", "Node"])
def run(request: pytest.FixtureRequest) -> Run:
    """One of the programs; its arguments are address, key, scan session and the seconds that close may take."""
    found: Run = run_python if request.param == "Python" else request.getfixturevalue("run_javascript")
    return found


def test_no_node(run: Run) -> None:
    """After 5 s it is said, and at the end how many, where to and why."""
    done = run(f"grpc://{NO_NODE}", "", "scan-1", "8")
    assert done.returncode == 1
    assert re.search(
        rf"qrumb: grpc://{NO_NODE} has not answered for \d+ s, 1 event waiting for the next try in \d+ s: .*refused",
        done.stderr,
        re.IGNORECASE,
    )
    assert re.search(rf"1 event not delivered to grpc://{NO_NODE}: .*refused", done.stderr, re.IGNORECASE)
    assert SECRET not in done.stdout + done.stderr


def test_a_key_that_is_not_known(run: Run, keyed: Keyed) -> None:
    address = f"grpc://{keyed.stack.grpc_target}"
    done = run(address, "qk_aaaaaaaaaaaa_wrong", "scan-1", "10")
    assert done.returncode == 1
    assert re.search(rf"qrumb: 1 event not delivered to {address}: .*key", done.stderr)
    assert re.search(rf"1 event not delivered to {address}: .*key", done.stderr)
    assert SECRET not in done.stdout + done.stderr


def test_a_broken_rule(run: Run, keyed: Keyed) -> None:
    """A rejected event has its verdict, so it is not a failure; but it is said."""
    address = f"grpc://{keyed.stack.grpc_target}"
    done = run(address, keyed.key, "", "10")
    assert done.returncode == 0, done.stderr
    assert f"qrumb: {address} rejected 1 of 1 event: scan_session_id: " in done.stderr
    assert SECRET not in done.stdout + done.stderr
