"""One node for all tests of this folder that do not harm it."""

from collections.abc import Iterator

import pytest

from tests.support.stack import Stack, running_stack, wait_until


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running node, shared: tests tell their events apart by site_id."""
    with running_stack(tmp_path_factory.mktemp("node") / "data", database="", QRUMB_WORKERS="2") as running:
        yield running


@pytest.fixture(scope="module")
def unharmed(stack: Stack) -> Iterator[None]:
    """After the tests of a module no process of the node has died, and all that they sent was loaded."""
    before = restarts(stack)
    refused = stack.count("has(reasons, 'STORE_REFUSED')", "invalid_events")
    yield
    stack.wait_for_empty_spool()
    wait_until(lambda: stack.health()["condition"] == "READY")
    assert restarts(stack) == before
    assert stack.count("has(reasons, 'STORE_REFUSED')", "invalid_events") == refused
    failures = [line for line in stack.log().splitlines() if "call_failed" in line or "event_failed" in line]
    assert failures == []


def restarts(stack: Stack) -> dict[str, int]:
    """How often each process was started again."""
    return {process["name"]: process["restart_count"] for process in stack.health()["processes"]}
