"""The ledger as it is reported, from a real store."""

from pathlib import Path

import pytest

from qrumb.v1.query_service_pb2 import GetLedgerRequest
from qrumb_server.loader.ledger import ledger_batch
from qrumb_server.query.reports import Reports
from qrumb_server.store.embedded import EmbeddedStore

pytestmark = pytest.mark.chdb


class FixedClock:
    """A clock that stands."""

    def now_ms(self) -> int:
        """Always the same."""
        return 1_790_000_000_000


def test_letters_older_than_the_ledger_may_be_replayed(store: EmbeddedStore, tmp_path: Path) -> None:
    """They were not counted when they were rejected; the minute is reported all the same."""
    minute = 1_790_000_000_000 // 60_000 * 60_000
    counts = {"stored_count": 1, "unique_count": 1, "replayed_count": 1}
    store.insert(ledger_batch({("replay:a", "demo", minute): counts}))
    reports = Reports(store=store, spool_root=tmp_path, clock=FixedClock())
    [entry] = reports.get_ledger(GetLedgerRequest(site_id="demo")).entries
    assert (entry.stored_count, entry.rejected_count) == (1, 0)
