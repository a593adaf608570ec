"""A fresh embedded database per test, and batches to fill it."""

import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from qrumb_server.ports import TableBatch
from qrumb_server.store.embedded import EmbeddedStore

DAY_MS = 86_400_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "clickhouse"


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables and no rows: a copy opens in a quarter of the time that making one takes."""
    made = tmp_path_factory.mktemp("template") / "clickhouse"
    EmbeddedStore.open(made).close()
    return made


@pytest.fixture
def database(folder: Path, template: Path) -> Path:
    """The test's own, with all tables and no rows; not open."""
    shutil.copytree(template, folder, symlinks=True)
    return folder


@pytest.fixture
def store(database: Path) -> Iterator[EmbeddedStore]:
    opened = EmbeddedStore.open(database, lock_timeout=timedelta(seconds=10))
    yield opened
    opened.close()


@pytest.fixture
def now_ms() -> int:
    """Recent, because old rows may be removed at any merge."""
    return int(time.time() * 1000)


@pytest.fixture
def event(now_ms: int) -> Callable[..., dict[str, Any]]:
    """A plain row of events.valid_events; keywords replace its values."""

    def make(**values: Any) -> dict[str, Any]:
        plain: dict[str, Any] = {
            "event_id": str(uuid.uuid4()),
            "event_time": now_ms,
            "received_time": now_ms,
            "site_id": "shop",
            "scan_session_id": "",
            "qr_code_id": "",
            "user_id": "",
            "user_id_source": "",
            "event_type": "pageview",
            "consent": "granted",
            "is_duplicate": 0,
            "segment_id": "worker-1/7",
            "segment_row": 0,
        }
        return plain | values

    return make


@pytest.fixture
def batch_of() -> Callable[..., TableBatch]:
    """Rows as dicts with the same keys to a batch."""

    def make(rows: list[Mapping[str, Any]], table: str = "events.valid_events") -> TableBatch:
        columns = list(rows[0])
        return TableBatch(table=table, columns=columns, data=[[row[name] for row in rows] for name in columns])

    return make
