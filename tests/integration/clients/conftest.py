"""What every test of a client needs: the front, a node, and a place where results are written down.

With CLIENT_RESULTS each case of clients/cases is a line in that file, from which tools/clients_table.py makes
docs/clients.md.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.client_front import Front, running_front
from tests.support.stack import Stack, running_stack

WrittenDown = Callable[[str, str, str, str], None]
# What the example of every client's README sends.
OF_README: Final = "site_id = 'demo' AND event_name = 'purchase' AND toFloat64(conversion_value) = 49.9"


@pytest.fixture(scope="module")
def front() -> Iterator[Front]:
    """One front for all cases: each has a site_id of its own."""
    with running_front() as started:
        yield started


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One node for all clients, that asks for no keys: sites keep them apart."""
    with running_stack(tmp_path_factory.mktemp("clients") / "data", QRUMB_WORKERS="1") as started:
        yield started


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """A node that asks for keys, its own site, and the key that its first start made."""

    stack: Stack
    key: str
    site_id: str = "demo"

    def environment(self) -> dict[str, str]:
        """What runners in other languages are told."""
        return {"QRUMB_SITE": self.site_id, "QRUMB_KEY": self.key}


@pytest.fixture(scope="package")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    """For the cases of node.yaml: what a client says to a real node, it says with a key.

    All clients share it, as they share its only site: a test that looks for rows knows how many were there before.
    """
    with running_stack(tmp_path_factory.mktemp("keyed") / "data", QRUMB_ACCESS="keys", QRUMB_WORKERS="1") as started:
        yield Keyed(stack=started, key=(started.data_dir / "demo.key").read_text().strip())


def write_down(client: str, file: str, case: str, outcome: str) -> None:
    """Keep a result, where results are kept."""
    if target := os.environ.get("CLIENT_RESULTS"):
        line = json.dumps({"client": client, "file": file, "case": case, "outcome": outcome})
        with Path(target).open("a", encoding="utf-8") as results:
            results.write(line + "\n")


@pytest.fixture(name="write_down")
def write_down_fixture() -> WrittenDown:
    """For runners in other languages, whose cases are not tests of pytest."""
    return write_down


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """A test with a `case` of `test_NAME` is a client's result for NAME.yaml: the Python client's unless it says."""
    report = yield
    parameters: dict[str, Any] = (
        item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    )
    if report.when == "call" and "case" in parameters:
        client = "Python asyncio" if parameters.get("kind") == "async client" else parameters.get("client", "Python")
        file = item.function.__name__.removeprefix("test_")
        write_down(client, file, parameters["case"]["name"], report.outcome)
    return report
