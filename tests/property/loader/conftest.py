"""One embedded ClickHouse for all examples, kept apart by site_id."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from qrumb_server.store.embedded import EmbeddedStore


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    """Closed before the next module, which may open a folder of its own."""
    opened = EmbeddedStore.open(tmp_path_factory.mktemp("any-order") / "clickhouse", lock_timeout=timedelta(seconds=10))
    yield opened
    opened.close()
