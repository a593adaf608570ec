"""Many texts are looked for as one, whatever they hold."""

import time
from datetime import timedelta
from pathlib import Path

import pytest

from qrumb_server.loader.lookups import KnownSession, Lookups
from qrumb_server.loader.sessions import session_batch
from qrumb_server.pipeline.identity import SESSION, Label
from qrumb_server.store.embedded import EmbeddedStore
from tests.support.loading import registered

pytestmark = pytest.mark.chdb

ODD = ("a,b", "a\x01b", "'", '"', "\\", "\\N", "a\0b", "\t", "\n", "ü", "\u2028", "{ids:String}", "61", "%41")


def test_sessions_and_owners_of_any_names_are_found_among_thirty_thousand(tmp_path: Path) -> None:
    """As many as a batch has; as a list they took the engine minutes where one of them was odd."""
    store = EmbeddedStore.open(tmp_path / "clickhouse", lock_timeout=timedelta(seconds=10))
    now_ms = time.time_ns() // 1_000_000
    known = {("s", name): KnownSession(qr_code_id="qr", scan_time_ms=now_ms) for name in ODD}
    store.insert(session_batch(known, [registered("s", name, now_ms) for name in ODD]))
    store.mutate(
        "INSERT INTO events.identity_links (site_id, kind, identifier, user_id, first_time, version) "
        "SELECT site_id, 'scan_session', scan_session_id, 'ann', scan_time, 1 FROM events.scan_sessions"
    )
    lookups = Lookups(store, monotonic=time.monotonic)
    names = [*(f"scan-{number}" for number in range(30_000)), *ODD]
    found = lookups.sessions([("s", name) for name in names])
    assert found.keys() == known.keys()
    owners = lookups.owners([("s", SESSION, name) for name in names])
    assert owners == {("s", SESSION, name): Label(now_ms, "ann") for name in ODD}
    store.close()
