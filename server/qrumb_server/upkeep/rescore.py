"""Marks stored rows anew by the fraud rules of today, as far as their inputs are still known.

Known are the device class, the times, the session, of a scan the method and whether it was a prefetch, and what a site
ignores. What only the receipt saw and was not kept,
the agent's text, the address, the rate, stays as it was marked then.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from qrumb_server.loader.lookups import KnownSession, Lookups
from qrumb_server.loader.loop import Loader
from qrumb_server.loader.remarks import GROUP, OF_KEYS, OF_SESSION, decided_by, write_marks
from qrumb_server.loader.rows import SCAN_SESSIONS, VALID_EVENTS
from qrumb_server.model import FraudReason, SitePolicy, Source
from qrumb_server.pipeline.mark import RESCORABLE, is_impossible, kept_reasons, marks_at_loading
from qrumb_server.ports import EventStore
from qrumb_server.upkeep.replay import LOADER_PATIENCE
from qrumb_server.wire.v1 import upkeep_service_pb2 as pb

__all__ = ["Rescore"]

PAGE: Final = 20_000
Row = Mapping[str, Any]
_COLUMNS: Final = "site_id, scan_session_id, source, device_type, event_time, client_event_time, fraud_reasons"
_SCAN_COLUMNS: Final = "site_id, device_type, is_prefetch, request_method, fraud_reasons"


class Rescore:
    """Rescores in the loader's process. Calls block; every one may raise a StoreError."""

    def __init__(
        self,
        *,
        store: EventStore,
        loader: Loader,
        monotonic: Callable[[], float],
        policy: Callable[[str], SitePolicy],
        retention_ms: int,
    ) -> None:
        self._store = store
        self._loader = loader
        self._monotonic = monotonic
        self._policy = policy
        self._retention_ms = retention_ms

    def run(self, request: pb.RescoreRequest) -> pb.RescoreResponse:
        """Look at all selected rows, then write those that are marked differently now."""
        lookups = Lookups(self._store, monotonic=self._monotonic)
        changed: defaultdict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
        examined = 0
        for page in _pages(self._store, _COLUMNS, VALID_EVENTS, request):
            examined += len(page)
            sessions = lookups.sessions(
                {(row["site_id"], row["scan_session_id"]) for row in page if row["scan_session_id"]}
            )
            for row in page:
                session = sessions.get((row["site_id"], row["scan_session_id"]), KnownSession())
                reasons = self._reasons(row, session)
                if reasons != sorted(row["fraud_reasons"]):
                    changed[tuple(reasons)].append((row["segment_id"], row["segment_row"]))
        for reasons_now, rows in changed.items():
            for start in range(0, len(rows), GROUP):
                with self._loader.exclusively(LOADER_PATIENCE):
                    write_marks(self._store, {reasons_now: rows[start : start + GROUP]}, self._loader.changes)
        response = pb.RescoreResponse(examined_count=examined, changed_count=sum(map(len, changed.values())))
        self._rescore_scans(request, response)
        return response

    def _rescore_scans(self, request: pb.RescoreRequest, response: pb.RescoreResponse) -> None:
        """The same for scans, and count them; those of one mark at a time."""
        changed: defaultdict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
        for page in _pages(self._store, _SCAN_COLUMNS, f"{SCAN_SESSIONS} FINAL", request):
            response.examined_scan_count += len(page)
            for row in page:
                reasons = self._scan_reasons(row)
                if reasons != row["fraud_reasons"]:
                    changed[tuple(reasons)].append((row["segment_id"], row["segment_row"]))
        for reasons_now, rows in changed.items():
            for start in range(0, len(rows), GROUP):
                some = {"rows": rows[start : start + GROUP]}
                with self._loader.exclusively(LOADER_PATIENCE), self._loader.changes.holding() as hold:
                    hold.mark_sessions(OF_KEYS, some)
                    self._store.mutate(
                        f"ALTER TABLE {SCAN_SESSIONS} UPDATE fraud_reasons = {{reasons:Array(String)}} WHERE {OF_KEYS}",
                        {"reasons": list(reasons_now), **some},
                    )
        response.changed_scan_count = sum(map(len, changed.values()))

    def _scan_reasons(self, row: Row) -> list[str]:
        """What a stored scan still tells, and what only its receipt saw."""
        seen_anew = {
            FraudReason.BOT: row["device_type"] == "bot",
            FraudReason.PREFETCH: bool(row["is_prefetch"]),
            FraudReason.HEAD_REQUEST: row["request_method"] == "HEAD",
        }
        kept = [reason for reason in row["fraud_reasons"] if reason not in seen_anew]
        found = [reason for reason, is_so in seen_anew.items() if is_so]
        return sorted(kept_reasons([*kept, *found], self._policy(row["site_id"]).fraud))

    def _reasons(self, row: Row, session: KnownSession) -> list[str]:
        policy = self._policy(row["site_id"])
        rules, retention_ms = policy.fraud, min(self._retention_ms, policy.retention_ms)
        # Without its session, because consent was denied or its user was erased, a row keeps what was seen by it.
        seen_anew = RESCORABLE | decided_by(session) if row["scan_session_id"] else RESCORABLE - OF_SESSION
        kept = [reason for reason in row["fraud_reasons"] if reason not in seen_anew]
        if row["device_type"] == "bot":
            kept.append(FraudReason.BOT)
        corrected_ms = row["client_event_time"]
        sent_ms = row["event_time"] if corrected_ms is None else corrected_ms
        if row["source"] == Source.BROWSER and is_impossible(sent_ms - row["received_time"], retention_ms, rules):
            kept.append(FraudReason.IMPOSSIBLE_TIME)
        found = marks_at_loading(
            source=row["source"],
            event_time_ms=row["event_time"],
            scan_time_ms=session.scan_time_ms,
            is_foreign=session.is_foreign,
            session_rate=0,
            address_rate=0,
            rules=rules,
        )
        return sorted({*kept_reasons(kept, rules), *found})


def _pages(store: EventStore, columns: str, table: str, request: pb.RescoreRequest) -> Iterator[Sequence[Row]]:
    """The selected rows in order of their receipt, each with its place."""
    after = (request.since_time_ms, "", 0)
    while True:
        page = store.query(
            f"SELECT {columns}, received_time, segment_id, segment_row FROM {table} "  # noqa: S608
            "WHERE ({site:String} = '' OR site_id = {site:String}) "
            "AND received_time >= {time:DateTime64(3, 'UTC')} AND (received_time, segment_id, segment_row) > "
            "({time:DateTime64(3, 'UTC')}, {segment:String}, {row:Int64}) "
            "ORDER BY received_time, segment_id, segment_row LIMIT {size:UInt32}",
            {"site": request.site_id, "time": after[0], "segment": after[1], "row": after[2], "size": PAGE},
        )
        if page:
            yield page
        if len(page) < PAGE:
            return
        last = page[-1]
        after = (last["received_time"], last["segment_id"], last["segment_row"])
