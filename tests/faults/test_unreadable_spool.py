"""A spool that may not be read: no process dies of it, every answer says it, and nothing is lost afterwards."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.modes import HELD_TO_MODES, forbidden
from tests.support.patience import patient
from tests.support.plain_http import NO_TLS
from tests.support.stack import Stack, frozen, running_stack, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.chdb]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A node whose processes are held to the modes of files; each test leaves it READY."""
    folder = tmp_path_factory.mktemp("unreadable") / "data"
    with running_stack(folder, launcher=HELD_TO_MODES, QRUMB_WORKERS="1") as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_died(node: Stack) -> Iterator[None]:
    """After each test the node is READY, with the processes that it had."""
    before = {name: process.pid for name, process in node.children().items()}
    yield
    wait_until(lambda: node.health()["condition"] == "READY", 30)
    assert {name: process.pid for name, process in node.children().items()} == before
    assert "Traceback" not in node.log()


def send(node: Stack, site_id: str) -> bool:
    """Whether one event was taken."""
    with node.http() as client:
        return client.post("/collect", json={"site_id": site_id, "event_type": "click"}).status_code == 200


def status(node: Stack) -> tuple[int, dict[str, Any]]:
    """Exit code and answer of `qrumb status`."""
    done = node.command("status", "--format", "json")
    return done.returncode, json.loads(done.stdout)


def wait_for_reason(node: Stack, *words: str) -> tuple[int, dict[str, Any]]:
    """`qrumb status` once every one of these texts is in some reason."""

    def find() -> tuple[int, dict[str, Any]] | None:
        code, said = status(node)
        is_said = all(any(text in reason for reason in said["reasons"]) for text in words)
        return (code, said) if is_said else None

    return wait_until(find, 30)


def condition_in_metrics(node: Stack) -> str:
    """Which condition monitoring is told."""
    [url] = re.findall(r"^metrics: (\S+)$", node.log(), re.MULTILINE)
    [found] = re.findall(
        r'^qrumb_node_condition{condition="(\w+)"} 1.0$',
        httpx.get(url, timeout=patient(20), verify=NO_TLS).text,
        re.MULTILINE,
    )
    return found


@pytest.mark.parametrize("place", [".", "worker-0"], ids=["the spool", "a worker's folder"])
def test_a_folder_that_may_not_be_used_is_a_reason(node: Stack, place: str) -> None:
    """Status, /healthz and metrics answer; the loader waits; what was acknowledged is stored afterwards."""
    site_id = "folder-" + place.replace(".", "all")
    assert send(node, site_id)
    whose = "the folder of the spool" if place == "." else "worker-0's folder of the spool"
    sent = 1
    with forbidden(node.data_dir / "spool" / place):
        code, _said = wait_for_reason(
            node,
            f"the node cannot look at {whose}: permission denied",
            f"the loader waits, since it cannot use {whose}: permission denied",
            "no worker can write into its folder of the spool",
        )
        assert code == 2
        with node.http() as client:
            answer = client.get("/healthz")
        assert answer.status_code == 503
        assert f"{whose}: permission denied" in answer.text
        assert condition_in_metrics(node) == "NOT_READY"
        sent += send(node, site_id)
    node.wait_for_rows(sent, f"site_id = '{site_id}'")


def test_a_segment_that_may_not_be_read_holds_loading_up(node: Stack) -> None:
    """In its place: what was received later waits for it. The node takes events all the same."""
    folder = node.data_dir / "spool" / "worker-0"
    with frozen(node, "loader"):
        assert send(node, "segment")
        [segment] = wait_until(lambda: list(folder.glob("*.sealed")), 10)
        segment.chmod(0)
    wait_for_reason(node, "the loader waits, since it cannot use a file in worker-0's folder of the spool: permission")
    assert send(node, "segment")
    assert condition_in_metrics(node) == "DEGRADED"
    assert node.count("site_id = 'segment'") == 0
    segment.chmod(0o600)
    node.wait_for_rows(2, "site_id = 'segment'")
