"""What a node says of itself while parts of it are away: the reasons while they last, nothing when they are over."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.stack import Stack, frozen, running_stack, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.chdb]

COMMANDS = (
    ("query", "SELECT 1"),
    ("receipt", "0192f0c1-7e1a-7c3d-9b1e-2f6a7d8c9e0f"),
    ("ledger",),
    ("rejected",),
)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One node for all; each test leaves it READY."""
    with running_stack(tmp_path_factory.mktemp("health") / "data", QRUMB_WORKERS="1") as running:
        assert running.command("send", "--count", "1").returncode == 0  # so that its site is known
        running.wait_for_rows(1)
        yield running


@pytest.fixture(autouse=True)
def well_again(node: Stack) -> Iterator[None]:
    """What a test said of the node is over once its fault is."""
    yield
    wait_until(lambda: node.health()["condition"] == "READY", 60)


def run_all(node: Stack) -> list[tuple[int, str]]:
    """Exit code and standard error of each command that asks the loader, all at once."""
    with ThreadPoolExecutor(len(COMMANDS)) as pool:
        done = list(pool.map(lambda arguments: node.command(*arguments), COMMANDS))
    return [(one.returncode, one.stderr) for one in done]


def test_commands_wait_for_a_loader_that_is_started_again(node: Stack) -> None:
    """A caller who asks in that moment does not notice it."""
    node.children()["loader"].kill()
    assert run_all(node) == [(0, "")] * len(COMMANDS)


def test_commands_say_in_one_sentence_that_the_loader_does_not_answer(node: Stack) -> None:
    """After some seconds, with exit code 1 and without a word of gRPC."""
    with frozen(node, "loader"):
        answers = run_all(node)
    sentence = f"Error: the loader of the node in {node.data_dir} does not answer at the moment"
    assert [(code, said[: len(sentence)], said.count("\n")) for code, said in answers] == [(1, sentence, 1)] * 4
    wait_until(lambda: conditions(node)[-2:] == [("DEGRADED", True), ("READY", False)], 60)


def conditions(node: Stack) -> list[tuple[str, bool]]:
    """What the log says of the node's condition, and whether it says why."""
    lines = [json.loads(line) for line in node.log().splitlines() if '"node_condition"' in line]
    return [(line["condition"], bool(line["reasons"])) for line in lines]
