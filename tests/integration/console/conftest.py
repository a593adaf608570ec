"""A node with the console and a shop's events, before a real Chromium."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.console_shop import send_shop
from tests.support.javascript import ROOT, built, chromium
from tests.support.ports import claimed_port
from tests.support.stack import Stack, running_stack

SITE = "demo"


@pytest.fixture(scope="session")
def package() -> Path:
    """The console's folder, built."""
    return built(ROOT / "console")


@pytest.fixture(scope="session")
def node(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """On a port that it keeps when it is started again; it asks for keys."""
    chromium()
    settings = {
        "QRUMB_ACCESS": "keys",
        "HTTP_PORT": str(claimed_port()),
        "QRUMB_CONSOLE_DIR": str(package / "dist"),
        "COLLECT_PATHS": "/e,/collect",
        "QRUMB_QUERIES__MAX_WAIT": "PT30S",  # a slow machine
    }
    with running_stack(tmp_path_factory.mktemp("console") / "data", **settings) as running:
        with running.http() as client:
            send_shop(client, SITE, key_of(running))
        running.wait_for_empty_spool()
        yield running


def key_of(node: Stack) -> str:
    """The key that the node's first start made."""
    return (node.data_dir / "demo.key").read_text().strip()
