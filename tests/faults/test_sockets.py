"""Every socket of a node that is deleted comes back by itself, and what is said meanwhile and afterwards is true."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.support.stack import Stack, running_stack, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.chdb]


def sockets_in(run_dir: Path) -> set[str]:
    """Names of the sockets in a folder, not of those below it."""
    return {path.name for path in run_dir.iterdir() if path.is_socket()}


def process_ids(node: Stack) -> dict[str, int]:
    """Which processes there are."""
    return {name: process.pid for name, process in node.children().items()}


def serves_everything(node: Stack) -> bool:
    """Whether each way into the node works, over new connections as well as over open ones."""
    try:
        with node.http() as client:
            taken = client.post("/collect", json={"site_id": "sockets", "event_type": "click"})
            queried = client.get("/v1/sites/sockets/counts")
            health = client.get("/healthz")
    except httpx.TransportError:  # of a gateway that another one took over from
        return False
    return (
        (taken.status_code, queried.status_code, health.status_code) == (200, 200, 200)
        and health.json()["condition"] == "READY"
        and node.command("status").returncode == 0
        and node.command("query", "SELECT 1").returncode == 0
    )


def delete_names(run_dir: Path) -> None:
    """As a tidy-up would that looks at the folder alone."""
    for name in sockets_in(run_dir):
        (run_dir / name).unlink()


def delete_all_sockets(run_dir: Path) -> None:
    """As `find -type s -delete` does."""
    for path in list(run_dir.rglob("*")):
        if path.is_socket():
            path.unlink()


def test_deleted_names_are_back_and_no_process_notices(tmp_path: Path) -> None:
    """All sockets at once, twice; nothing is started again."""
    with running_stack(tmp_path / "data") as node:
        run_dir = node.data_dir / "run"
        expected, before = sockets_in(run_dir), process_ids(node)
        assert {"status.sock", "loader.sock", "queries.sock", "worker-0.sock", "gateway-admin.sock"} <= expected
        for _ in range(2):
            delete_names(run_dir)
            wait_until(lambda: sockets_in(run_dir) == expected, 10)
            wait_until(lambda: serves_everything(node), 10)
        assert process_ids(node) == before


@pytest.mark.parametrize("delete", [delete_all_sockets, shutil.rmtree], ids=["every socket", "the run folder"])
def test_what_leaves_no_name_of_a_socket_is_bound_anew(tmp_path: Path, delete: Callable[[Path], None]) -> None:
    """The processes that listened are started again one after another; the node does not stop and loses nothing."""
    with running_stack(tmp_path / "data") as node:
        run_dir = node.data_dir / "run"
        expected = sockets_in(run_dir)
        time.sleep(1)  # each has been seen by now
        delete(run_dir)
        wait_until(lambda: run_dir.exists() and sockets_in(run_dir) >= expected - {"gateway-admin.sock"}, 60)
        wait_until(lambda: serves_everything(node), 60, 0.5)
        sent = node.count("site_id = 'sockets'")
        with node.http() as client:
            assert client.post("/collect", json={"site_id": "sockets", "event_type": "last"}).status_code == 200
        node.wait_for_rows(1, "site_id = 'sockets' AND event_type = 'last'")
        assert node.count("site_id = 'sockets'") > sent
