"""One embedded ClickHouse for all examples, kept apart by site_id."""

import time
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


@pytest.fixture(scope="module")
def base_ms() -> int:
    """An hour ago: old enough for all times of the stories, recent enough for every retention."""
    return int(time.time()) * 1000 - 60 * 60_000
