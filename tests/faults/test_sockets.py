"""Every socket of a node that is deleted comes back by itself, and what is said meanwhile and afterwards is true."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from qrumb_server.supervise.sockets import SPARE_FOLDER
from tests.support.stack import Stack, running_stack, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.chdb]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Stack]:
    """A new one for each: a gateway that was started again has other sockets."""
    with running_stack(tmp_path / "data", QRUMB_WORKERS="2") as running:
        yield running


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


def wait_until_kept(run_dir: Path, names: set[str]) -> None:
    """Until the node has seen each socket, and given it its spare name."""
    wait_until(lambda: (run_dir / SPARE_FOLDER).is_dir() and sockets_in(run_dir / SPARE_FOLDER) >= names)


def delete_names(run_dir: Path) -> None:
    """As a tidy-up would that looks at the folder alone, and the lock of the data folder with them."""
    for name in sockets_in(run_dir):
        (run_dir / name).unlink()
    (run_dir.parent / "lock").unlink()


def delete_all_sockets(run_dir: Path) -> None:
    """As `find -type s -delete` does."""
    for path in list(run_dir.rglob("*")):
        if path.is_socket():
            path.unlink()


def delete_folder(run_dir: Path) -> None:
    """As `rm -rf` does; the node may put a name back meanwhile."""
    shutil.rmtree(run_dir, ignore_errors=True)


def test_deleted_names_are_back_and_no_process_notices(node: Stack) -> None:
    """All sockets at once, twice; nothing is started again."""
    run_dir = node.data_dir / "run"
    expected, before = sockets_in(run_dir), process_ids(node)
    assert {"status.sock", "loader.sock", "queries.sock", "worker-0.sock", "gateway-admin.sock"} <= expected
    for _ in range(2):
        wait_until_kept(run_dir, expected)
        delete_names(run_dir)
        wait_until(lambda: sockets_in(run_dir) == expected, 10)
        # The commands that it asks find the node by its lock.
        wait_until(lambda: serves_everything(node), 10)
    assert process_ids(node) == before


@pytest.mark.parametrize("delete", [delete_all_sockets, delete_folder], ids=["every socket", "the run folder"])
def test_what_leaves_no_name_of_a_socket_is_bound_anew(node: Stack, delete: Callable[[Path], None]) -> None:
    """The processes that listened are started again one after another; the node does not stop and loses nothing."""
    run_dir = node.data_dir / "run"
    expected = sockets_in(run_dir) - {"gateway-admin.sock"}
    wait_until_kept(run_dir, expected)
    delete(run_dir)
    wait_until(lambda: run_dir.exists() and sockets_in(run_dir) >= expected, 60)
    wait_until(lambda: serves_everything(node), 60, 0.5)
    sent, last = node.count("site_id = 'sockets'"), f"after {delete.__name__}"
    with node.http() as client:
        assert client.post("/collect", json={"site_id": "sockets", "event_type": last}).status_code == 200
    node.wait_for_rows(1, f"site_id = 'sockets' AND event_type = '{last}'")
    assert node.count("site_id = 'sockets'") > sent
