"""Scans and what became of each: the rows that funnels add up, in a question or ahead of it (`upkeep/rollups.py`).

Reads the sessions of a range and the events of these sessions alone, whatever else a site has.
"""

from typing import Final

from qrumb_server.loader.changes import HOUR_MS
from qrumb_server.query.dimensions import CAMPAIGN, CAMPAIGN_LABEL
from qrumb_server.query.pairs import events_once
from qrumb_server.query.scans import IS_OF_SCAN, IS_VISIT, REASONS_LEFT, of_sessions

__all__ = ["followed_scans"]

# Of every event; which of its columns are asked for beside these is said where it is asked.
_COLUMNS: Final = (
    *("event_id", "event_time", "received_time", "source", "event_type", "event_name", "scan_session_id", "is_fraud"),
    *("conversion_value", "conversion_currency"),
)
_PLACE: Final = ("segment_id", "segment_row")
# With the event's name, since it depends on who asks whether its money counts. Made one text of later, for the few.
_MONEY: Final = "(event_id, conversion_currency, event_name, ifNull(conversion_value, toDecimal64(0, 4)))"
# What came first in a session, events of one millisecond in an order of their own. One number is compared several times
# as fast as the pair.
_FIRST: Final = "toUnixTimestamp64Milli(event_time) * 524288 + cityHash64(event_id) % 524288"


def followed_scans(scanned: str, alone: str, *, merges: bool, has_campaign: bool) -> str:
    """A SELECT of one row for each session of `{site:String}`, and for each conversion that has none any more.

    Args:
        scanned: condition on `scan_time` of sessions; `{since:DateTime64(3, 'UTC')}` is as since_ms.
        alone: condition on `event_time` of events without a session.
        merges: as of events_once.
        has_campaign: the session's campaign is wanted.
    """
    campaign = CAMPAIGN_LABEL if has_campaign else "''"
    return f"""
    SELECT time, qr_code_id, country_code, device_type, scan_country, scan_device, campaign, scans, visited,
        suspicious, server_names, reasons, arrayMap(one -> concat(one.2, ' ', one.3), money) AS earning_names,
        arrayMap(one -> CAST(one.4 AS Decimal(38, 4)), money) AS earned,
        arrayMap(one -> toUInt64(1), money) AS earning_counts
    FROM
    (
        SELECT scan_time AS time, qr_code_id, if(visit_country = '', scan_country, visit_country) AS country_code,
            if(visit_device = '', scan_device, visit_device) AS device_type, scan_country, scan_device,
            if(visit_campaign = '', scan_campaign, visit_campaign) AS campaign, 1 AS scans, visited, suspicious,
            server_names, money, {REASONS_LEFT} AS reasons
        FROM
        (
            SELECT scan_session_id, qr_code_id, scan_time, toString(scan_sessions.country_code) AS scan_country,
                toString(scan_sessions.device_type) AS scan_device, {campaign} AS scan_campaign, fraud_reasons
            FROM events.scan_sessions FINAL WHERE site_id = {{site:String}} AND {scanned}
        ) AS scans
        LEFT JOIN ({_seen(scanned, merges=merges, has_campaign=has_campaign)}) AS seen USING (scan_session_id)
        UNION ALL
        {_alone(alone, merges=merges)}
    ) AS followed
"""  # noqa: S608


def _of_session(column: str, expression: str) -> str:
    """What the first browser event that knows it says of a session."""
    known = f"{IS_VISIT} AND {expression} != ''"
    return f"argMinIf(toString({expression}), {_FIRST}, {known}) AS {column}"


def _seen(scanned: str, *, merges: bool, has_campaign: bool) -> str:
    """What became of each session. Rows of one event that two loaders took at once earn once; what a page and a backend
    told of one event is a visit and a conversion of one session."""
    columns = [*_COLUMNS, "country_code", "device_type", *(["metadata"] if has_campaign else [])]
    return f"""
        SELECT scan_session_id, countIf({IS_VISIT}) > 0 AS visited,
            arraySort(groupUniqArrayIf(toString(event_name), source = 'server' AND is_fraud = 0)) AS server_names,
            max(is_fraud) AS suspicious,
            groupUniqArrayIf({_MONEY}, source = 'server' AND conversion_value IS NOT NULL AND is_fraud = 0) AS money,
            {_of_session("visit_country", "told.country_code")},
            {_of_session("visit_device", "told.device_type")},
            {_of_session("visit_campaign", CAMPAIGN) if has_campaign else "'' AS visit_campaign"}
        FROM ({events_once(columns, of_sessions(scanned), merges=merges)}) AS told
        GLOBAL INNER JOIN
        (
            SELECT scan_session_id, scan_time FROM events.scan_sessions FINAL
            WHERE site_id = {{site:String}} AND {scanned}
        ) AS scanned USING (scan_session_id)
        WHERE {IS_OF_SCAN.format(time="event_time")} AND {IS_OF_SCAN.format(time="received_time")}
        GROUP BY scan_session_id
    """  # noqa: S608


def _alone(condition: str, *, merges: bool) -> str:
    """What has a QR code and no session any more, since consent was denied: nothing tells its visits apart, so only
    conversions are counted, each as one, by the time of the event."""
    alone = "is_fraud = 0 AND source = 'server' AND scan_session_id = '' AND qr_code_id != ''"
    told = events_once([*_COLUMNS, "qr_code_id", *_PLACE], f"{alone} AND {condition}", merges=merges)
    return f"""
        SELECT event_time AS time, qr_code_id, '' AS country_code, '' AS device_type,
            '' AS scan_country, '' AS scan_device, '' AS campaign, 0 AS scans,
            0 AS visited, 0 AS suspicious, [toString(event_name)] AS server_names,
            if(conversion_value IS NULL, [], [{_MONEY}]) AS money, emptyArrayString() AS reasons
        FROM ({told}) AS told
        ORDER BY received_time, {", ".join(_PLACE)}
        LIMIT 1 BY event_id, intDiv(toUnixTimestamp64Milli(event_time), {HOUR_MS})
    """  # noqa: S608
