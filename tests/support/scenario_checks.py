"""What a scenario expects of the stored rows, receipts and the ledger, and what must hold after every scenario."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from qrumb.v1 import query_service_pb2 as pb
from qrumb.v1 import scan_session_service_pb2 as session_pb
from qrumb.v1.receipt_pb2 import Violation
from qrumb_server.instants import milliseconds
from tests.support.scenario import Play, hash_of

__all__ = ["check_expectations", "check_gone", "check_promises"]

Row = Mapping[str, Any]
TIMES: Final = {"event_time", "received_time", "client_event_time", "scan_time"}
USERS: Final = {"user_id"}
EVER: Final = {"from_time": Timestamp(seconds=0), "to_time": Timestamp(seconds=10_000_000_000)}
KINDS: Final = {
    "rows", "attributed", "receipts", "sessions", "ledger", "unique", "rejected", "users",
}  # fmt: skip


async def check_expectations(play: Play, wanted: Mapping[str, Any], site: str | None) -> None:
    """Everything that an `expect` step names."""
    unknown = wanted.keys() - KINDS
    assert not unknown, f"nothing to expect: {unknown}"
    for name, rows in wanted.get("rows", {}).items():
        _check_rows(play, _rows(play, "valid_events", name, site), rows, f"rows of {name}")
    for name, row in wanted.get("attributed", {}).items():
        _check_rows(play, _rows(play, "attributed_events", name, site), row, f"attributed {name}")
    for name, receipt in wanted.get("receipts", {}).items():
        await _check_receipt(play, name, receipt, site)
    for name, session in wanted.get("sessions", {}).items():
        await _check_session(play, name, session, site)
    for name, letters in wanted.get("rejected", {}).items():
        _check_letters(play, name, letters, site)
    if "ledger" in wanted:
        ledger = await _ledger(play, play.site(site))
        assert {name: ledger[name] for name in wanted["ledger"]} == wanted["ledger"], f"ledger {ledger}"
    if "unique" in wanted:
        assert _count(play, "unique_events", play.site(site)) == wanted["unique"]


def _check_rows(play: Play, found: list[dict[str, Any]], wanted: Any, what: str) -> None:
    expected = [] if wanted is None else wanted if isinstance(wanted, list) else [wanted]
    assert len(found) == len(expected), f"{what}: {len(found)} rows, {len(expected)} expected: {found}"
    for row, columns in zip(found, expected, strict=True):
        shown = {name: _shown(row[name]) for name in columns}
        meant = {name: _meant(play, name, value, row) for name, value in columns.items()}
        assert shown == meant, f"{what}: {shown}, not {meant}"


def _shown(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def _meant(play: Play, name: str, written: Any, row: Row) -> Any:
    """The value that a written one stands for."""
    if name in TIMES and isinstance(written, str):
        return row["received_time"] if written == "received" else play.time_ms(written)
    if name in USERS:
        return play.user(written, row["site_id"])
    if name == "metadata" and isinstance(written, dict):
        return json.dumps(written, separators=(",", ":"), sort_keys=True)
    return written


async def _check_receipt(play: Play, name: str, wanted: Row, site: str | None) -> None:
    request = pb.GetReceiptRequest(site_id=play.site(site), event_id=play.event_id(name))
    receipt = await play.node.queries.GetReceipt(request)
    said = {
        "fate": pb.GetReceiptResponse.Fate.Name(receipt.fate),
        "arrivals": receipt.arrival_count,
        "conflicts": receipt.conflict_count,
        "violations": sorted({Violation.Reason.Name(broken.reason) for broken in receipt.violations}),
        "has_row": receipt.HasField("row"),
    }
    plain = {key: value for key, value in wanted.items() if key != "row"}
    assert {key: said[key] for key in plain} == plain, f"receipt of {name}: {said}"
    for column, value in wanted.get("row", {}).items():
        kept = getattr(receipt.row, column)
        kept = list(kept) if column == "fraud_reasons" else kept
        assert kept == _meant(play, column, value, {"site_id": play.site(site)}), (
            f"receipt of {name}: {column} is {kept!r}"
        )


async def _check_session(play: Play, name: str, wanted: Row | None, site: str | None) -> None:
    request = session_pb.GetScanSessionRequest(site_id=play.site(site), scan_session_id=name)
    try:
        session = (await play.node.session_queries.GetScanSession(request)).scan_session
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.NOT_FOUND or wanted is not None:
            raise
        return
    assert wanted is not None, f"session {name} is there"
    said = {
        "qr_code_id": session.qr_code_id,
        "user_id": session.user_id,
        "scan_time": milliseconds(session.scan_time),
    }
    meant = {key: _meant(play, key, value, {"site_id": session.site_id}) for key, value in wanted.items()}
    assert {key: said[key] for key in wanted} == meant, f"session {name}: {said}"


def _check_letters(play: Play, name: str, wanted: Any, site: str | None) -> None:
    found = play.node.store.query(
        "SELECT arraySort(arrayDistinct(reasons)) AS reasons, toUInt8(isNotNull(replayed_time)) AS replayed, stage "
        "FROM events.invalid_events WHERE site_id = {site:String} AND event_id = {id:String} "
        "ORDER BY received_time, segment_id, segment_row",
        {"site": play.site(site), "id": play.event_id(name)},
    )
    _check_rows(play, found, wanted, f"dead letters of {name}")


def check_gone(play: Play, names: list[str]) -> None:
    """No text of the store's tables and no byte of the spool holds one of the names."""
    store = play.node.store
    columns = store.query(
        "SELECT table, name FROM system.columns WHERE database = 'events' AND type LIKE '%String%' "
        "AND table IN (SELECT table FROM system.columns WHERE database = 'events' AND name = 'site_id')"
    )
    texts = [hash_of(play.user(name, play.site(None))) for name in names]
    for column in columns:
        for text in texts:
            [row] = store.query(
                f"SELECT count() AS n FROM events.{column['table']} WHERE site_id = {{site:String}} "
                f"AND positionCaseInsensitiveUTF8(toString({column['name']}), {{text:String}}) > 0",
                {"site": play.site(None), "text": text},
            )
            assert row["n"] == 0, f"{text} is in {column['table']}.{column['name']}"
    for path in play.node.spool_root.rglob("*"):
        if path.is_file():
            image = path.read_bytes().lower()
            assert not [text for text in texts if text.lower().encode() in image], f"in the spool: {path.name}"


async def check_promises(play: Play) -> None:
    """What holds whatever the story was: for each site that something was sent for."""
    for site_id, received in play.received.items():
        ledger = await _ledger(play, site_id)
        assert ledger["received"] == received, f"{received} were received, the ledger says {ledger}"
        assert ledger["received"] == ledger["stored"] + ledger["rejected"] + ledger["spooled"], ledger
        assert ledger["stored"] == ledger["unique"] + ledger["duplicate"], ledger
        assert ledger["spooled"] == 0
        assert ledger["stored"] == _count(play, "valid_events", site_id)
        assert ledger["duplicate"] == _count(play, "valid_events", site_id, "is_duplicate = 1")
        if not play.letters_erased:
            assert ledger["rejected"] == _count(play, "invalid_events", site_id, "replayed_time IS NULL")
        ids = _count(play, "valid_events", site_id, what="uniqExact(event_id)")
        for view in ("unique_events", "attributed_events"):
            assert _count(play, view, site_id) == ids, f"{view} does not count each event once"
            assert _count(play, view, site_id, what="uniqExact(event_id)") == ids
        _check_consent(play, site_id)
        _check_links(play, site_id)


def _check_consent(play: Play, site_id: str) -> None:
    """The table of states and columns, on all rows, in both forms."""
    for table in ("valid_events", "attributed_events"):
        assert not _count(
            play,
            table,
            site_id,
            "consent IN ('pending', 'denied') AND (user_id != '' OR user_id_source != '' OR city != '')",
        )
        assert not _count(
            play,
            table,
            site_id,
            "consent = 'denied' AND (scan_session_id != '' OR match(page_url || referrer, '[?#]'))",
        )
        assert not _count(play, table, site_id, "ip_key != '' OR is_fraud != notEmpty(fraud_reasons)")


def _check_links(play: Play, site_id: str) -> None:
    """A name leads to its user in one step."""
    chains = play.node.store.query(
        "SELECT identifier, user_id FROM events.identities FINAL WHERE site_id = {site:String} AND kind = 'user_id' "
        "AND user_id NOT IN (SELECT identifier FROM events.identities FINAL "
        "WHERE site_id = {site:String} AND kind = 'user_id' AND identifier = user_id)",
        {"site": site_id},
    )
    assert chains == [], "links are not flat"


def _rows(play: Play, table: str, name: str, site: str | None) -> list[dict[str, Any]]:
    return play.node.store.query(
        f"SELECT * FROM events.{table} WHERE site_id = {{site:String}} AND event_id = {{id:UUID}} "
        "ORDER BY received_time, segment_id, segment_row",
        {"site": play.site(site), "id": play.event_id(name)},
    )


def _count(play: Play, table: str, site_id: str, where: str = "1", what: str = "count()") -> int:
    sql = f"SELECT {what} AS n FROM events.{table} WHERE site_id = {{site:String}} AND ({where})"
    [row] = play.node.store.query(sql, {"site": site_id})
    return int(row["n"])


async def _ledger(play: Play, site_id: str) -> dict[str, int]:
    answer = await play.node.queries.GetLedger(pb.GetLedgerRequest(site_id=site_id, **EVER))
    names = [name for name in pb.LedgerEntry.DESCRIPTOR.fields_by_name if name.endswith("_count")]
    return {name.removesuffix("_count"): sum(getattr(entry, name) for entry in answer.entries) for name in names}
