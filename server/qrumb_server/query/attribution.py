"""What each QR code is credited with, for the conversions that its scans led to.

What is divided are unmarked server events, each once (`events.unique_events`), and whose they are is what
`events.attributed_events` says; the paths are those of `paths.py`. Read by a few statements of one table each: one that
says all of it would take seconds to plan, and join a site's whole history.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from qrumb.v1 import query_service_pb2 as pb
from qrumb_server.instants import EARLIEST_MS, LATEST_MS
from qrumb_server.query.credits import CREDIT_DECIMALS, Conversion, Credits, Scan, divide
from qrumb_server.query.dimensions import PATH_WINDOW_MS, converts, named_in
from qrumb_server.query.names import Names
from qrumb_server.query.own_paths import OwnPaths, has_hashes, own_paths, singled
from qrumb_server.query.pairs import PAIRS, has_pairs
from qrumb_server.query.paths import Paths
from qrumb_server.query.reads import Reader
from qrumb_server.query.rolled import have_changed, path_sources
from qrumb_server.query.rows import amount_text
from qrumb_server.query.spans import DAY_MS, times_of
from qrumb_server.query.touches import WINDOW_DAYS
from qrumb_server.reasons import calls
from qrumb_server.rpc.faults import RequestFault

__all__ = ["attribute_conversions"]

# More than a shop sells in a year; each takes about a kilobyte while it is divided.
MAX_CONVERSIONS: Final = 200_000
_ALL_MODELS: Final = pb.GetAttributionRequest.Model.values()[1:]


def attribute_conversions(store: Reader, request: pb.GetAttributionRequest, now_ms: int) -> pb.GetAttributionResponse:
    """The conversions of a range, divided by each model.

    Raises:
        RequestFault: the range makes no sense, or holds more conversions than can be divided at once.
        StoreError: it cannot be read.
    """
    from_ms, to_ms = times_of(request, now_ms=now_ms, default_ms=30 * DAY_MS)
    asked = _Asked(
        store=store,
        site_id=request.site_id,
        names=request.conversion_names,
        from_ms=from_ms,
        to_ms=to_ms,
        window_ms=(request.window_days or WINDOW_DAYS) * DAY_MS,
        merges=has_pairs(store, request.site_id, EARLIEST_MS),
    )
    conversions, own = _by_sums(asked, now_ms) or (_by_rows(asked), OwnPaths())
    counted = [one for one in conversions if one.is_counted]
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for one in counted:
        if one.amount is not None:
            sums[one.currency] += one.amount
    for (_code, currency), amount in own.amounts.items():
        sums[currency] += amount
    return pb.GetAttributionResponse(
        attributions=[
            pb.ModelAttribution(
                model=pb.GetAttributionRequest.Model.Name(model), credits=_credits(divide(conversions, model), own)
            )
            for model in request.models or _ALL_MODELS
        ],
        conversion_count=sum(not one.is_refund for one in counted) + sum(own.conversions.values()),
        refund_count=sum(one.is_refund for one in counted),
        amounts=_amounts(sums),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A question, and what it is asked of."""

    store: Reader
    site_id: str
    names: Sequence[str]
    from_ms: int
    to_ms: int
    window_ms: int
    merges: bool
    """The site has events of which both sides told."""

    @property
    def values(self) -> dict[str, Any]:
        """What the statements name."""
        return {
            "site": self.site_id,
            "from": self.from_ms,
            "to": self.to_ms,
            "early": max(self.from_ms - DAY_MS, EARLIEST_MS),
            "late": min(self.to_ms + DAY_MS, LATEST_MS),
            "suspected": max(self.from_ms - self.window_ms, EARLIEST_MS),
            "conversions": list(self.names),
            "limit": MAX_CONVERSIONS + 1,
        }

    def rows(self, chosen: str, more: Mapping[str, Any] = MappingProxyType({})) -> list[dict[str, Any]]:
        """What is divided, of rows that meet a condition. Raises as attribute_conversions."""
        sql = _conversions(self.names, chosen, merges=self.merges)
        rows = self.store.query(sql, named_in(sql, {**self.values, **more}))
        if len(rows) > MAX_CONVERSIONS:
            raise RequestFault(calls.QUERY_TOO_LARGE, what=f"conversions ({MAX_CONVERSIONS:,})")
        return rows

    def purchases(self, rows: Sequence[Mapping[str, Any]], beyond: str) -> list[dict[str, Any]]:
        """Those that the refunds among rows are of, by their sessions, and that are not counted here."""
        refunded = sorted({row["scan_session_id"] for row in rows if row["is_refund"]} - {""})
        if not refunded:
            return []
        known = {row["event"] for row in rows}
        found = self.rows(f"({converts(self.names)}) AND {beyond} AND {_OF_REFUNDS}", {"among": refunded})
        return [{**row, "is_counted": 0} for row in found if row["event"] not in known]

    def conversions(self, rows: Sequence[Mapping[str, Any]], paths: Paths) -> list[Conversion]:
        """The rows with their users and their paths."""
        paths.learn_scans(row["scan_session_id"] for row in rows)
        users = paths.users_of(rows)
        sold = [_as_conversion(row, user) for row, user in zip(rows, users, strict=True)]
        found = paths.of(sold, self.window_ms)
        return [replace(one, path=_path(one, row, path)) for one, row, path in zip(sold, rows, found, strict=True)]

    @property
    def paths(self) -> Paths:
        """To look them up."""
        return Paths(self.store, self.site_id, lambda: self.merges, Names(self.store, self.site_id))


def _by_rows(asked: _Asked) -> list[Conversion]:
    """Those about the range with their paths, and the purchases that its refunds are of, whenever these were."""
    rows = asked.rows(_IN_RANGE)
    rows += asked.purchases(rows, f"NOT ({_IN_RANGE})")
    return asked.conversions(rows, asked.paths)


def _by_sums(asked: _Asked, now_ms: int, tries: int = 2) -> tuple[list[Conversion], OwnPaths] | None:
    """Those that have to be divided, and those that are credited whole; None where sums cannot answer."""
    if asked.merges or asked.window_ms != PATH_WINDOW_MS or "refund" in asked.names:
        return None
    sources = path_sources(asked.store, asked.site_id, asked.from_ms, asked.to_ms, now_ms)
    if not sources.sums:
        return None
    of_range = f"FROM events.valid_events WHERE {_SERVER} AND {sources.summed_rows_sql('event_time')}"
    own = own_paths(asked.store, asked.names, sources, asked.values)
    hashes = has_hashes(asked.store, asked.values)
    beside = singled(of_range, lends=own.lends, hashes=hashes)
    # The range is a condition of its own: joined to the others by OR, it would not keep the engine from reading for all
    # of them every granule that it looks into.
    divided = f"({sources.rows_sql('event_time')} OR {beside})" if sources.rows else beside
    rows = asked.rows(f"{_ASKED} AND {divided}", sources.parameters)
    bought = asked.purchases(rows, "1")
    paths = asked.paths
    conversions = asked.conversions([*rows, *bought], paths)
    if not _are_found(conversions):
        return None
    # What is taken out of a sum must be in it. At the next try hours that changed are answered by their rows.
    if have_changed(asked.store, asked.site_id, sources):
        return _by_sums(asked, now_ms, tries - 1) if tries > 1 else None
    for row in rows:
        is_summed = any(first <= row["time_ms"] < end for first, end in sources.sums)
        if is_summed and not row["is_refund"]:
            own.take(-1, _own_code(row, paths), row["currency"], row["amount"])
    return conversions, own


def _are_found(conversions: Sequence[Conversion]) -> bool:
    """Whether each refund's purchase is one of its session; else it may be any of its user's, and all are wanted."""
    bought = {
        (one.scan_session_id, one.currency) for one in conversions if not one.is_refund and one.amount is not None
    }
    return all(
        one.scan_session_id and (one.scan_session_id, one.currency) in bought for one in conversions if one.is_refund
    )


def _own_code(row: Mapping[str, Any], paths: Paths) -> str:
    """As sums have it (PATH_TOLD)."""
    if not row["scan_session_id"]:
        return str(row["code"])
    scan = paths.scans.get(row["scan_session_id"])
    return scan["qr_code_id"] if scan is not None and scan["time"] >= row["time_ms"] - PATH_WINDOW_MS else ""


def _as_conversion(row: Mapping[str, Any], user_id: str) -> Conversion:
    return Conversion(
        event_id=row["event"],
        time_ms=row["time_ms"],
        scan_session_id=row["scan_session_id"],
        user_id=user_id,
        amount=row["amount"],
        currency=row["currency"],
        is_refund=bool(row["is_refund"]),
        is_counted=bool(row["is_counted"]),
        path=(),
    )


def _path(one: Conversion, row: Mapping[str, Any], path: Sequence[Scan]) -> Sequence[Scan]:
    """Where consent was denied, the event's own code is all that is known."""
    if not one.scan_session_id and row["code"]:
        return [Scan(time_ms=one.time_ms, qr_code_id=row["code"])]
    return path


def _credits(found: Credits, own: OwnPaths) -> list[pb.QrCodeCredit]:
    """What was divided and what is credited whole, together."""
    conversions: defaultdict[str, Decimal] = defaultdict(Decimal, found.conversions)
    amounts: defaultdict[str, defaultdict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for code, number in own.conversions.items():
        conversions[code] += number
    for code, sums in found.amounts.items():
        amounts[code].update(sums)
    for (code, currency), amount in own.amounts.items():
        amounts[code][currency] += amount
    codes = sorted({*conversions, *amounts}, key=lambda code: (-conversions.get(code, 0), code))
    return [
        pb.QrCodeCredit(
            qr_code_id=code,
            conversion_credit=format(conversions.get(code, Decimal(0)), f".{CREDIT_DECIMALS}f"),
            amounts=_amounts(amounts.get(code, {})),
        )
        for code in codes
    ]


def _amounts(sums: Mapping[str, Decimal]) -> list[pb.CurrencyAmount]:
    return [pb.CurrencyAmount(currency=one, amount=amount_text(sums[one], one)) for one in sorted(sums)]


# The event_type of all of a backend's rows, by which they lie together.
_SERVER: Final = "site_id = {site:String} AND event_type = '' AND source = 'server'"
_IN_RANGE: Final = "event_time >= {early:DateTime64(3, 'UTC')} AND event_time < {late:DateTime64(3, 'UTC')}"
_ASKED: Final = "event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')}"
_OF_REFUNDS: Final = "scan_session_id IN {among:Array(String)}"


def _conversions(names: Sequence[str], chosen: str, *, merges: bool) -> str:
    """What is divided, of rows that are chosen. GLOBAL: in a cluster a shard must not ask all shards again.

    Args:
        merges: False where the site has no pairs.
    """
    counted = f"is_fraud = 0 AND (event_name = 'refund' OR {converts(names)})"
    columns = f"""toString(event_id) AS event, toUnixTimestamp64Milli(event_time) AS time_ms, scan_session_id,
        toString(qr_code_id) AS code, user_id, toString(user_id_source) AS user_id_source, identified_user_id,
        toString(consent) AS consent, conversion_value AS amount, toString(conversion_currency) AS currency,
        event_name = 'refund' AND NOT ({converts(names)}) AS is_refund,
        {_ASKED} AS is_counted"""
    rows = f"FROM events.valid_events WHERE {_SERVER} AND {chosen}"
    alone = f"SELECT {columns} {rows} AND is_duplicate = 0 AND {counted}"
    if not merges:
        return f"{alone} LIMIT {{limit:UInt32}}"
    told = f"SELECT event_id {rows} AND event_id GLOBAL IN ({PAIRS})"
    return f"""
    {alone} AND event_id GLOBAL NOT IN ({PAIRS}) LIMIT {{limit:UInt32}}
    UNION ALL
    SELECT {columns} FROM events.unique_events
    WHERE site_id = {{site:String}} AND source = 'server' AND {counted} AND event_id GLOBAL IN ({told})
    LIMIT {{limit:UInt32}}
    """  # noqa: S608
