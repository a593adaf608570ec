"""The look for events stored before their scan session: where it fails, loading goes on, and it is made up for."""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from qrumb_server.errors import StoreRefusedError
from qrumb_server.ports import Asking
from qrumb_server.store.embedded import EmbeddedStore
from tests.support.mini_node import SettableClock, running_mini_node
from tests.support.scenario import Play

pytestmark = pytest.mark.chdb


async def test_a_look_that_fails_holds_up_nothing_and_is_made_up_for(store: EmbeddedStore) -> None:
    """An event three hours before its scan is marked as soon as the store answers the look."""
    start_ms = int(time.time() * 1000) - 86_400_000
    with tempfile.TemporaryDirectory(prefix="qrumb-") as folder:
        async with running_mini_node(Path(folder), store, SettableClock(start_ms), policies={}) as node:
            play = Play(node=node, prefix="look", start_ms=start_ms, policies={})
            await play.take("browser", {"event_id": "e1", "scan_session_id": "s1", "event_time": "T-3h"}, {})
            await node.load()
            answer, failed = node.store.query, []

            def refuse(
                sql: str, parameters: Mapping[str, Any] | None = None, asking: Asking | None = None
            ) -> list[dict[str, Any]]:
                if "has(fraud_reasons" in sql:
                    failed.append(sql)
                    raise StoreRefusedError("no such function", 46)
                return answer(sql, parameters, asking)

            node.store.query = refuse  # type: ignore[method-assign]
            await play.take("register", {"scan_session_id": "s1", "qr_code_id": "qr-1", "scan_time": "T"}, {})
            await node.load()
            assert failed, "it was not looked at all"
            node.store.query = answer  # type: ignore[method-assign]
            node.clock.set(start_ms + 60_000)
            await play.take("browser", {"event_id": "e2"}, {})
            await node.load()
            rows = answer(
                "SELECT fraud_reasons FROM events.valid_events WHERE site_id = {site:String} AND scan_session_id != ''",
                {"site": play.site(None)},
            )
            assert [row["fraud_reasons"] for row in rows] == [["before_scan"]]
