"""The pytest plugin: the fixture `qrumb_node`, and the setting `qrumb_sites`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from qrumb.testing.node import Node

__all__ = ["pytest_addoption", "qrumb_node", "qrumb_process"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The setting that the fixture reads."""
    parser.addini(
        "qrumb_sites", "a sites.toml for qrumb_node, from the rootdir; without it every site is served, without keys"
    )


@pytest.fixture(scope="session")
def qrumb_process(pytestconfig: pytest.Config) -> "Iterator[Node]":
    """The process, for a whole run; with xdist one for each worker."""
    from qrumb.testing.node import running_node  # a run without the fixture needs none of it

    sites = pytestconfig.getini("qrumb_sites")
    with running_node(sites=pytestconfig.rootpath / sites if sites else None) as node:
        yield node


@pytest.fixture
def qrumb_node(qrumb_process: "Node") -> "Node":
    """A node that has seen nothing."""
    qrumb_process.reset()
    return qrumb_process
