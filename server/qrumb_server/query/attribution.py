"""Which scans led to conversions, as they are known by now, and what each QR code is credited with.

A scan leads to a conversion if it is that of its session or of another session of its user, and not older than the
window. Whose a session is, is known by who identified in it, or else by whom the redirect named; a suspect scan is left
out, and so is a session that shows nothing but marked events. Where consent was denied, the event's own QR code is all
that is known.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from qrumb.v1 import query_service_pb2 as pb
from qrumb_server.instants import EARLIEST_MS, LATEST_MS
from qrumb_server.pipeline.identity import EMAIL, PHONE, SESSION
from qrumb_server.query.credits import CREDIT_DECIMALS, Conversion, Credits, Scan, divide
from qrumb_server.query.dimensions import converts, named_in
from qrumb_server.query.pairs import has_pairs
from qrumb_server.query.reads import Reader
from qrumb_server.query.rows import amount_text
from qrumb_server.query.scans import believed_scans
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
    values = {
        "site": request.site_id,
        "since": EARLIEST_MS,
        "from": from_ms,
        "to": to_ms,
        "early": max(from_ms - DAY_MS, EARLIEST_MS),
        "late": min(to_ms + DAY_MS, LATEST_MS),
        "window": (request.window_days or WINDOW_DAYS) * DAY_MS,
        "conversions": list(request.conversion_names),
        "limit": MAX_CONVERSIONS + 1,
    }
    names = request.conversion_names
    chosen = _chosen(names)
    scans = believed_scans(_since(chosen), _DOUBTED, merges=has_pairs(store, request.site_id, EARLIEST_MS))
    conversions = _read(store, _sql(_conversions(names, chosen), scans), values)
    if len(conversions) > MAX_CONVERSIONS:
        raise RequestFault(calls.QUERY_TOO_LARGE, what=f"conversions ({MAX_CONVERSIONS:,})")
    counted = [one for one in conversions if one.is_counted]
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for one in counted:
        if one.amount is not None:
            sums[one.currency] += one.amount
    return pb.GetAttributionResponse(
        attributions=[
            pb.ModelAttribution(
                model=pb.GetAttributionRequest.Model.Name(model), credits=_credits(divide(conversions, model))
            )
            for model in request.models or _ALL_MODELS
        ],
        conversion_count=sum(not one.is_refund for one in counted),
        refund_count=sum(one.is_refund for one in counted),
        amounts=_amounts(sums),
    )


def _read(store: Reader, sql: str, values: Mapping[str, Any]) -> list[Conversion]:
    return [
        Conversion(
            event_id=row["event"],
            time_ms=row["time_ms"],
            scan_session_id=row["session"],
            user_id=row["user"],
            amount=row["amount"],
            currency=row["currency"],
            is_refund=bool(row["is_refund"]),
            is_counted=bool(row["is_counted"]),
            path=_path(row),
        )
        for row in store.query(sql, named_in(sql, values))
    ]


def _path(row: Mapping[str, Any]) -> list[Scan]:
    path = [Scan(time_ms=time, scan_session_id=session, qr_code_id=code) for time, session, code in row["path"]]
    if not row["session"] and row["code"]:
        return [Scan(time_ms=row["time_ms"], qr_code_id=row["code"])]
    return path


def _credits(found: Credits) -> list[pb.QrCodeCredit]:
    codes = sorted({*found.conversions, *found.amounts}, key=lambda code: (-found.conversions.get(code, 0), code))
    return [
        pb.QrCodeCredit(
            qr_code_id=code,
            conversion_credit=format(found.conversions.get(code, Decimal(0)), f".{CREDIT_DECIMALS}f"),
            amounts=_amounts(found.amounts.get(code, {})),
        )
        for code in codes
    ]


def _amounts(sums: Mapping[str, Decimal]) -> list[pb.CurrencyAmount]:
    return [pb.CurrencyAmount(currency=one, amount=amount_text(sums[one], one)) for one in sorted(sums)]


# GLOBAL: in a cluster a shard must not ask all shards again; on one server it means nothing.
_SERVER: Final = "site_id = {site:String} AND source = 'server'"


def _conversions(names: Sequence[str], chosen: str) -> str:
    """What is divided, and the purchases of its refunds. Chosen by id first, so that the view reads little."""
    return f"""
    SELECT toString(event_id) AS event, toUnixTimestamp64Milli(event_time) AS time_ms, scan_session_id,
        toString(qr_code_id) AS code, user_id, conversion_value AS amount, toString(conversion_currency) AS currency,
        event_name = 'refund' AND NOT ({converts(names)}) AS is_refund,
        event_time >= {{from:DateTime64(3, 'UTC')}} AND event_time < {{to:DateTime64(3, 'UTC')}} AS is_counted
    FROM events.attributed_events
    WHERE {_SERVER} AND is_fraud = 0 AND (event_name = 'refund' OR {converts(names)})
        AND event_id GLOBAL IN (SELECT event_id FROM events.valid_events WHERE {_SERVER} AND {chosen})
    ORDER BY time_ms, event LIMIT {{limit:UInt32}}
    """  # noqa: S608


def _chosen(names: Sequence[str]) -> str:
    """Conversions and refunds about the range, and the purchases that these refunds are of, whenever they were."""
    in_range = "event_time >= {early:DateTime64(3, 'UTC')} AND event_time < {late:DateTime64(3, 'UTC')}"
    return f"""
    (({converts(names)} OR event_name = 'refund') AND {in_range} OR {converts(names)} AND scan_session_id GLOBAL IN
    (
        SELECT scan_session_id FROM events.valid_events
        WHERE {_SERVER} AND event_name = 'refund' AND scan_session_id != '' AND {in_range}
    ))
    """  # noqa: S608


# No other sessions have anything to be left out for.
_DOUBTED: Final = """
    scan_session_id GLOBAL IN
    (
        SELECT scan_session_id FROM events.valid_events
        WHERE site_id = {site:String} AND is_fraud = 1 AND scan_session_id != '' UNION ALL
        SELECT scan_session_id FROM events.scan_sessions WHERE site_id = {site:String} AND notEmpty(fraud_reasons)
    )
"""
# As in events.attributed_events a hash stands for its owner, and a phone's owner may be an e-mail address's user.
_OWNERS: Final = f"""
    SELECT identifier AS owned_user, if(further = '', owner, further) AS owner_user FROM events.identity_owners
    ANY LEFT JOIN
    (
        SELECT identifier AS owner, owner AS further FROM events.identity_owners
        WHERE site_id = {{site:String}} AND kind = '{EMAIL}'
    ) AS emails USING (owner)
    WHERE site_id = {{site:String}} AND kind IN ('{EMAIL}', '{PHONE}')
"""  # noqa: S608


def _users_scans(scans: str) -> str:
    """Scans by user: everyone who identified in a session, or, where no one did, whom the redirect named."""
    return f"""
    SELECT if(owner_user = '', owned_user, owner_user) AS user_id, groupArray({_SCAN}) AS others
    FROM
    (
        SELECT time, scan_session_id, qr_code_id, arrayJoin(if(empty(identified), [named], identified)) AS owned_user
        FROM ({scans}) AS scans ANY LEFT JOIN
        (
            SELECT identifier AS scan_session_id, if(has(groupUniqArray(user_id) AS users, ''), [], users) AS identified
            FROM events.identity_links FINAL
            WHERE site_id = {{site:String}} AND kind = '{SESSION}'
            GROUP BY identifier
        ) AS identified USING (scan_session_id)
        WHERE owned_user != ''
    ) AS users
    ANY LEFT JOIN ({_OWNERS}) AS owners USING (owned_user)
    GROUP BY user_id
    """  # noqa: S608


def _since(chosen: str) -> str:
    return f"""
    (
        SELECT min(toUnixTimestamp64Milli(event_time)) - {{window:Int64}} FROM events.valid_events
        WHERE {_SERVER} AND {chosen}
    )
    """  # noqa: S608


_SCAN: Final = "(time, scan_session_id, toString(qr_code_id))"


def _sql(conversions: str, scans: str) -> str:
    """Each conversion with its path.

    Args:
        conversions: a SELECT of them.
        scans: a SELECT of those that may be on a path.
    """
    return f"""
SELECT event, time_ms, scan_session_id AS session, code, user_id AS user, amount, currency, is_refund, is_counted,
    arrayFilter(one -> one.1 >= time_ms - {{window:Int64}}, arraySort(arrayDistinct(
        arrayConcat(own, arrayFilter(one -> one.1 <= time_ms, others))))) AS path
FROM ({conversions}) AS conversions
ANY LEFT JOIN (SELECT scan_session_id, [{_SCAN}] AS own FROM ({scans}) AS scans) AS own_scans USING (scan_session_id)
ANY LEFT JOIN ({_users_scans(scans)}) AS user_scans USING (user_id)
"""  # noqa: S608
