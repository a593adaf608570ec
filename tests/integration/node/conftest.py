"""One node for all tests of this folder that do not harm it."""

from collections.abc import Iterator

import pytest

from tests.support.stack import Stack, running_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running node, shared: tests tell their events apart by site_id."""
    with running_stack(tmp_path_factory.mktemp("node") / "data") as running:
        yield running
