"""What is queued in a folder survives its sender: processes of every language, killed and started again."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from qrumb.testing import Node, running_node
from tests.integration.clients.test_go_client import BUILD_SECONDS, go
from tests.support.client_front import load_cases
from tests.support.spool_cases import run_spool_case

ROOT = Path(__file__).resolve().parent.parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from maven import JAVA_CLIENT, mvn, unready  # noqa: E402

pytestmark = [pytest.mark.stack, pytest.mark.timeout(BUILD_SECONDS)]
PYTHON = [sys.executable, "-m", "tests.support.spool_sender"]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Node]]:
    """One that takes everything, and one that asks for a key that no sender has."""
    sites = tmp_path_factory.mktemp("sites") / "sites.toml"
    sites.write_text('[spool]\norigins = ["https://shop.example"]\n')
    with running_node() as there, running_node(sites=sites) as asking:
        yield {"there": there, "asking": asking}


@pytest.fixture(scope="module")
def go_sender(tmp_path_factory: pytest.TempPathFactory) -> Sequence[str]:
    """The client's tests, compiled: one of them is the program."""
    program = tmp_path_factory.mktemp("go") / "sender"
    done = go("test", "-c", "-o", str(program), ".")
    assert done.returncode == 0, done.stderr
    return [str(program), "-test.run=^TestSender$", "-test.timeout=0"]


@pytest.fixture(scope="module")
def java_sender() -> Sequence[str]:
    """A class among the client's tests."""
    if reason := unready():
        pytest.skip(reason)
    done = mvn("-o", "-q", "test-compile", "dependency:build-classpath", "-Dmdep.outputFile=target/classpath.txt")
    assert done.returncode == 0, done.stdout[-4000:]
    target = JAVA_CLIENT / "target"
    path = f"{target / 'test-classes'}:{target / 'classes'}:{(target / 'classpath.txt').read_text()}"
    java = shutil.which("java") or "java"
    return [java, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", path, "dev.qrumb.SpoolSender"]


CASES = load_cases("spool")
# Of the others the default suite has what is the language's own: locks, kills, and the form of the files.
IN_SHORT = {
    "Python": {case["name"] for case in CASES},
    "Python asyncio": {"killed-while-sending"},
    "Go": {"killed-while-sending", "two-processes", "another-language"},
    "Java": {"killed-while-sending", "another-language"},
}


@pytest.mark.parametrize(
    ("client", "case"),
    [
        pytest.param(
            client,
            case,
            id=f"{client}-{case['name']}",
            marks=() if case["name"] in short else (pytest.mark.long,),
        )
        for client, short in IN_SHORT.items()
        for case in CASES
    ],
)
def test_spool(
    case: dict[str, Any], client: str, nodes: dict[str, Node], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The case's promise."""
    commands = {"Python": PYTHON, "Python asyncio": [*PYTHON, "asyncio"]}
    fixture = f"{client.lower()}_sender"
    command = commands[client] if client in commands else request.getfixturevalue(fixture)
    run_spool_case(case, command, nodes, tmp_path)
