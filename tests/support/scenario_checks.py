"""What a scenario expects of the stored rows, receipts and the ledger, and what must hold after every scenario."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from qrumb.v1 import query_service_pb2 as pb
from qrumb.v1 import scan_session_service_pb2 as session_pb
from qrumb.v1.receipt_pb2 import Violation
from qrumb_server.instants import milliseconds, timestamp
from qrumb_server.query.rows import amount_text, as_event_row
from qrumb_server.upkeep.erase import RENAMED
from tests.support.examples import is_drawn
from tests.support.scenario import Play, hash_of

__all__ = ["check_expectations", "check_gone", "check_promises"]

Row = Mapping[str, Any]
TIMES: Final = {"event_time", "received_time", "client_event_time", "scan_time"}
USERS: Final = {"user_id"}
EVER: Final[dict[str, Any]] = {"from_time": Timestamp(seconds=0), "to_time": Timestamp(seconds=10_000_000_000)}
BESIDE: Final = {"suspects", "confirmed", "reasons"}
KINDS: Final = {
    "rows", "attributed", "receipts", "sessions", "ledger", "unique", "rejected", "users", "funnel",
    "suspicious", "credits",
}  # fmt: skip


async def check_expectations(play: Play, wanted: Mapping[str, Any], site: str | None) -> None:
    """Everything that an `expect` step names."""
    unknown = wanted.keys() - KINDS
    assert not unknown, f"nothing to expect: {unknown}"
    for kind, table in (("rows", "valid_events"), ("attributed", "attributed_events")):
        if kind in wanted:
            stored = _rows(play, table, site, _columns(wanted[kind].values()))
            for name, rows in wanted[kind].items():
                _check_rows(play, stored.get(play.event_id(name), []), rows, f"{kind} of {name}")
    for name, receipt in wanted.get("receipts", {}).items():
        await _check_receipt(play, name, receipt, site)
    for name, session in wanted.get("sessions", {}).items():
        await _check_session(play, name, session, site)
    for name, letters in wanted.get("rejected", {}).items():
        _check_letters(play, name, letters, site)
    if "ledger" in wanted:
        ledger = await _ledger(play, play.site(site))
        assert {name: ledger[name] for name in wanted["ledger"]} == wanted["ledger"], f"ledger {ledger}"
    if "funnel" in wanted:
        await _check_funnel(play, wanted["funnel"], play.site(site))
    if "credits" in wanted:
        await _check_credits(play, wanted["credits"], play.site(site))
    if "suspicious" in wanted:
        await _check_suspicious(play, wanted["suspicious"], play.site(site))
    if "unique" in wanted:
        found = play.node.store.query(
            "SELECT event_id FROM events.unique_events WHERE site_id = {site:String}", {"site": play.site(site)}
        )
        assert len(found) == wanted["unique"], f"{len(found)} unique events"


async def _check_funnel(play: Play, wanted: Mapping[str, Any], site_id: str) -> None:
    found = _funnel(await play.node.queries.GetFunnel(pb.GetFunnelRequest(site_id=site_id, **EVER)))
    for code, one in found.items():  # where they are not asked for
        for name in BESIDE - wanted.get(code, {}).keys():
            del one[name]
    assert found == wanted


async def _check_credits(play: Play, wanted: Mapping[str, float], site_id: str) -> None:
    request = pb.GetAttributionRequest(site_id=site_id, models=["LINEAR"], **EVER)
    [linear] = (await play.node.queries.GetAttribution(request)).attributions
    assert {one.qr_code_id: float(money.amount) for one in linear.credits for money in one.amounts} == wanted


async def _check_suspicious(play: Play, wanted: Mapping[str, int], site_id: str) -> None:
    answer = await play.node.queries.ListSuspiciousIdentifiers(pb.ListSuspiciousIdentifiersRequest(site_id=site_id))
    found = {
        (pb.SuspiciousIdentifier.Kind.Name(one.kind).lower(), one.name): -one.other_count
        if one.is_split
        else one.other_count
        for one in answer.identifiers
    }
    meant = {}
    for written, count in wanted.items():
        kind, _, name = written.partition(":")
        meant[kind, play.named(kind, name, site_id)] = count
    assert found == meant


def _funnel(answer: pb.GetFunnelResponse) -> dict[str, dict[str, Any]]:
    return {
        one.qr_code_id: {
            "scans": one.scan_count,
            "suspects": one.suspect_scan_count,
            "confirmed": one.confirmed_scan_count,
            "reasons": {found.reason: found.count for found in one.suspect_reasons},
            "visits": one.visit_count,
            "conversions": one.conversion_count,
            **{money.currency: money.amount for money in one.amounts},
        }
        for one in answer.funnels
    }


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
    if name == "scan_session_id" and written == "erased":
        return row[name] if row[name].startswith(RENAMED) else "a name that erasure gave"
    if name == "scan_session_id":
        return play.session(written)
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
        "warnings": sorted(warning.field for warning in receipt.warnings),
        "touches": [touch.qr_code_id for touch in receipt.touches],
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
    request = session_pb.GetScanSessionRequest(site_id=play.site(site), scan_session_id=play.session(name))
    try:
        answer = await play.node.session_queries.GetScanSession(request)
        session, verdict = answer.scan_session, answer.verdict
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.NOT_FOUND or wanted is not None:
            raise
        return
    assert wanted is not None, f"session {name} is there"
    said = {
        "qr_code_id": session.qr_code_id,
        "user_id": session.user_id,
        "scan_time": milliseconds(session.scan_time),
        "landing_page_url": session.landing_page_url,
        "labels": dict(session.labels),
        **{field.name: getattr(verdict, field.name) for field in verdict.DESCRIPTOR.fields},
        "fraud_reasons": list(verdict.fraud_reasons),
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
    texts = [hash_of(play.user(name, play.site(None))).lower() for name in names]
    for table in store.query(
        "SELECT table, groupArrayIf(name, type LIKE '%String%') AS names FROM system.columns "
        "WHERE database = 'events' AND table IN (SELECT name FROM system.tables WHERE engine != 'View') "
        "GROUP BY table HAVING has(groupArray(name), 'site_id')"
    ):
        whole = ", '|', ".join(f"toString({column})" for column in table["names"])
        found = store.query(
            f"SELECT * FROM events.{table['table']} WHERE site_id = {{site:String}} "
            f"AND multiSearchAny(lowerUTF8(concat({whole})), {{texts:Array(String)}})",
            {"site": play.site(None), "texts": texts},
        )
        assert found == [], f"in {table['table']}"
    for path in play.node.spool_root.rglob("*"):
        if path.is_file():
            image = path.read_bytes().lower()
            assert not [text for text in texts if text.encode() in image], f"in the spool: {path.name}"


async def check_promises(play: Play) -> None:
    """What holds whatever the story was: for each site that something was sent for.

    The view, and one answer to one question in whatever way it is asked, in those that are drawn in this run.
    """
    for site_id, received in play.received.items():
        ledger = await _ledger(play, site_id)
        assert ledger["received"] == received, f"{received} were received, the ledger says {ledger}"
        assert ledger["received"] == ledger["stored"] + ledger["rejected"] + ledger["spooled"], ledger
        assert ledger["stored"] == ledger["unique"] + ledger["duplicate"], ledger
        assert ledger["spooled"] == ledger["scan_spooled"] == 0
        assert ledger["scan_received"] == ledger["scan_registered"] + ledger["scan_rejected"]
        assert ledger["scan_received"] == play.registered.get(site_id, 0)
        stored = _sums(play, site_id)
        assert (ledger["stored"], ledger["duplicate"]) == (stored["rows"], stored["duplicates"])
        if not play.letters_erased:
            [letters] = play.node.store.query(
                "SELECT count() AS n FROM events.invalid_events "
                "WHERE site_id = {site:String} AND replayed_time IS NULL",
                {"site": site_id},
            )
            assert ledger["rejected"] == letters["n"]
        assert not stored["forbidden"], "consent is not kept"
        assert not stored["odd"], "an ip_key is kept, or is_fraud and its reasons differ"
        _check_links(play, site_id)
        if is_drawn():  # half of what a scenario costs
            rows = _check_view(play, site_id, ledger, stored)
            await _check_agreement(play, site_id, ledger, rows)


def _check_view(play: Play, site_id: str, ledger: Mapping[str, int], stored: Mapping[str, int]) -> list[dict[str, Any]]:
    """attributed_events is unique_events with columns replaced, so it shows the count of both."""
    rows = play.node.store.query(
        "SELECT * FROM events.attributed_events WHERE site_id = {site:String}", {"site": site_id}
    )
    assert len(rows) == ledger["unique"], "events.unique_events does not count each event once"
    assert len({row["event_id"] for row in rows}) == stored["ids"], "an event is not in events.unique_events"
    assert not any(map(_is_forbidden, rows)), "consent is not kept by the view"
    return rows


def _is_forbidden(row: Row) -> bool:
    """Whether an event has columns that its consent does not allow."""
    of_user = bool(row["user_id"] or row["user_id_source"] or row["city"])
    of_session = bool(row["scan_session_id"] or {"?", "#"} & {*row["page_url"], *row["referrer"]})
    return (row["consent"] in {"pending", "denied"} and of_user) or (row["consent"] == "denied" and of_session)


async def _check_agreement(play: Play, site_id: str, ledger: Mapping[str, int], rows: list[dict[str, Any]]) -> None:
    """One answer to one question: rows, views, counts, funnel, receipts and the ledger."""
    node = play.node
    of_codes = await node.queries.CountEvents(
        pb.CountEventsRequest(site_id=site_id, bucket="WHOLE", group_by=["QR_CODE"], **EVER)
    )
    [marked] = node.store.query(
        "SELECT sum(is_fraud) AS n FROM events.valid_events WHERE site_id = {site:String}", {"site": site_id}
    )
    assert ledger["fraud"] == marked["n"], "the ledger counts other marks than the rows have"
    answer = await node.queries.CountEvents(pb.CountEventsRequest(site_id=site_id, bucket="WHOLE", **EVER))
    counted = Counter[tuple[str, str]]()
    for one in answer.counts:
        counted[one.source, one.name] += one.unique_count
    assert +counted == Counter(
        (row["source"], row["event_name"] if row["source"] == "server" else row["event_type"]) for row in rows
    ), "counts are not those of the view"
    for pair in [row for row in rows if row["event_name"] and row["event_type"]][:1]:
        await _check_time(play, pair, rows)
    assert (sum(counted.values()), sum(one.duplicate_count for one in answer.counts)) == (
        ledger["unique"],
        ledger["duplicate"],
    )
    assert sum(one.fraud_count for one in answer.counts) == sum(row["is_fraud"] for row in rows)
    found = _funnel(await node.queries.GetFunnel(pb.GetFunnelRequest(site_id=site_id, **EVER)))
    meant = _funnel_of(play, site_id, rows)
    assert {code: said for code, said in found.items() if any(said.values())} == meant
    scans = {(one.qr_code_id, one.scan_count, one.suspect_scan_count) for one in of_codes.counts}
    funnels = {(code, said["scans"], said["suspects"]) for code, said in found.items()}
    assert {one for one in scans if any(one[1:])} == {one for one in funnels if any(one[1:])}
    # An id that came again after seven days is two events: the receipt is that of the first.
    firsts = {row["event_id"]: row for row in sorted(rows, key=lambda row: row["received_time"], reverse=True)}
    for row in firsts.values():
        receipt = await node.queries.GetReceipt(pb.GetReceiptRequest(site_id=site_id, event_id=row["event_id"]))
        assert receipt.row == as_event_row(row), "the receipt has another row than the view"
        assert receipt.fate in {pb.GetReceiptResponse.STORED, pb.GetReceiptResponse.DUPLICATE}


def _nothing() -> dict[str, Any]:
    return {"scans": 0, "suspects": 0, "confirmed": 0, "reasons": {}, "visits": 0, "conversions": 0}


async def _check_time(play: Play, pair: Row, rows: list[dict[str, Any]]) -> None:
    """Counts have an event of two copies at the time that the view has it at."""
    span: dict[str, Any] = {
        "from_time": timestamp(pair["event_time"]),
        "to_time": timestamp(pair["event_time"] + 1),
    }
    request = pb.CountEventsRequest(site_id=pair["site_id"], bucket="WHOLE", **span)
    answer = await play.node.queries.CountEvents(request)
    at_once = sum(row["event_time"] == pair["event_time"] for row in rows)
    assert sum(one.unique_count for one in answer.counts) == at_once, "counts have a pair at another time"


def _funnel_of(play: Play, site_id: str, rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What the rows of events.attributed_events say of each code; worked out from them alone, and the scans."""
    scans = play.node.store.query(
        "SELECT scan_session_id, qr_code_id, fraud_reasons FROM events.scan_sessions FINAL "
        "WHERE site_id = {site:String}",
        {"site": site_id},
    )
    visited = {row["scan_session_id"] for row in rows if row["event_type"] and not row["is_fraud"]}
    counts: dict[str, dict[str, Any]] = {}
    for scan in scans:
        one = counts.setdefault(scan["qr_code_id"], _nothing())
        cleared = {"prefetch", "head_request"} if scan["scan_session_id"] in visited else set()
        reasons = set(scan["fraud_reasons"]) - cleared
        one["suspects" if reasons else "scans"] += 1
        one["confirmed"] += not reasons and scan["scan_session_id"] in visited
        for reason in reasons:
            one["reasons"][reason] = one["reasons"].get(reason, 0) + 1
    seen: set[tuple[str, str]] = set()
    for row in rows:
        session, code = row["scan_session_id"], row["qr_code_id"]
        if row["is_fraud"] or not code:
            continue
        one = counts.setdefault(code, _nothing())
        is_conversion = row["source"] == "server" and row["event_name"] != "refund"
        for kind, is_one in (("visits", bool(row["event_type"]) and bool(session)), ("conversions", is_conversion)):
            if is_one and (not session or (kind, session) not in seen):
                one[kind] += 1
                seen.add((kind, session))
        if row["conversion_value"] is not None and row["source"] == "server":
            currency = row["conversion_currency"]
            one[currency] = one.get(currency, Decimal(0)) + row["conversion_value"]
    return {
        code: {name: amount_text(value, name) if isinstance(value, Decimal) else value for name, value in one.items()}
        for code, one in counts.items()
        if any(one.values())
    }


def _sums(play: Play, site_id: str) -> dict[str, int]:
    """Counts of the stored rows; `forbidden` are rows with columns that their consent does not allow."""
    [sums] = play.node.store.query(
        "SELECT count() AS rows, sum(is_duplicate) AS duplicates, uniqExact(event_id) AS ids, "
        "countIf(consent IN ('pending', 'denied') AND (user_id != '' OR user_id_source != '' OR city != '') "
        "OR consent = 'denied' AND (scan_session_id != '' OR match(page_url || referrer, '[?#]'))) AS forbidden, "
        "countIf(ip_key != '' OR is_fraud != notEmpty(fraud_reasons)) AS odd "
        "FROM events.valid_events WHERE site_id = {site:String}",
        {"site": site_id},
    )
    return sums


def _check_links(play: Play, site_id: str) -> None:
    """An e-mail hash leads to an account and no further, and no hash to a weaker one."""
    wrong = play.node.store.query(
        "SELECT kind, identifier, user_id FROM events.identity_links FINAL WHERE site_id = {site:String} "
        "AND (kind = 'email' AND match(user_id, '^(email|phone)-[0-9a-f]{32}$') "
        "OR kind = 'phone' AND match(user_id, '^phone-[0-9a-f]{32}$'))",
        {"site": site_id},
    )
    assert wrong == [], "a link leads to nothing stronger"


def _columns(wanted: Iterable[Any]) -> list[str]:
    """Those that some rows are expected to have, and those by which a row is told from others."""
    rows = [row for one in wanted if one is not None for row in (one if isinstance(one, list) else [one])]
    return sorted({"event_id", "site_id", "received_time"}.union(*rows))


def _rows(play: Play, table: str, site: str | None, columns: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """All rows of a site by event_id, in order of receipt. The view of all its columns takes twice as long to plan."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in play.node.store.query(
        f"SELECT {', '.join(columns)} FROM events.{table} WHERE site_id = {{site:String}} "
        "ORDER BY received_time, segment_id, segment_row",
        {"site": play.site(site)},
    ):
        rows.setdefault(row["event_id"], []).append(row)
    return rows


async def _ledger(play: Play, site_id: str) -> dict[str, int]:
    answer = await play.node.queries.GetLedger(pb.GetLedgerRequest(site_id=site_id, **EVER))
    names = [name for name in pb.LedgerEntry.DESCRIPTOR.fields_by_name if name.endswith("_count")]
    return {name.removesuffix("_count"): sum(getattr(entry, name) for entry in answer.entries) for name in names}
