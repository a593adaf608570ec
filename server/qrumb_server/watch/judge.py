"""What a rule says now, by the same questions as counts and funnels.

A verdict is about one cause: a rule, and where it looks at QR codes one by one, the code. Where too little came in to
tell, it is UNKNOWN, and an alarm that is on stays on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from qrumb.v1 import query_service_pb2 as pb
from qrumb_server.instants import timestamp
from qrumb_server.model import WatchKind, WatchRule
from qrumb_server.query.funnels import follow_scans
from qrumb_server.query.reads import Reader
from qrumb_server.query.scans import IS_VISIT
from qrumb_server.query.spans import DAY_MS, HOUR_MS
from qrumb_server.words import counted

__all__ = ["RuleVerdict", "State", "judge_rule"]

USUAL_DAYS: Final = 7
# A registration may come a little later than the visit: newer visits are looked at the next time.
LATE_MS: Final = 600_000
_SEEN: Final = f"""
SELECT DISTINCT scan_session_id FROM events.valid_events
WHERE site_id = {{site:String}} AND scan_session_id != '' AND {IS_VISIT}
    AND event_time >= {{from:DateTime64(3, 'UTC')}} AND event_time < {{to:DateTime64(3, 'UTC')}}
"""  # noqa: S608
_UNSCANNED: Final = f"""
SELECT count() AS visits, countIf(scan_session_id GLOBAL NOT IN
(
    SELECT scan_session_id FROM events.scan_sessions
    WHERE site_id = {{site:String}} AND scan_session_id GLOBAL IN ({_SEEN})
)) AS unscanned FROM ({_SEEN})
"""  # noqa: S608


class State(StrEnum):
    """Whether a rule's condition holds."""

    ALARM = "alarm"
    FINE = "fine"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleVerdict:
    """What a rule says of one cause."""

    site_id: str
    rule: str
    kind: WatchKind
    qr_code_id: str = ""
    """The code that it is about; empty: the whole site, or the rule's codes together."""
    state: State
    text: str
    """For people: numbers and names of codes, nothing of a visitor."""

    @property
    def cause(self) -> tuple[str, str, str]:
        """What an alarm is told once for."""
        return (self.site_id, self.rule, self.qr_code_id)


def judge_rule(store: Reader, site_id: str, rule: WatchRule, now_ms: int) -> Iterator[RuleVerdict]:
    """One verdict, or one for each code. Raises StoreError."""
    match rule.kind:
        case WatchKind.SILENT:
            yield from _silent(store, site_id, rule, now_ms)
        case WatchKind.SUSPECT_SHARE:
            found = _funnels(store, site_id, rule, now_ms - rule.within_ms, now_ms)
            suspect = sum(one.suspect_scan_count for one in found)
            whole = suspect + sum(one.scan_count for one in found)
            yield _share(site_id, rule, suspect, whole, "scans are suspect")
        case WatchKind.UNSCANNED_VISITS:
            times = {"from": now_ms - LATE_MS - rule.within_ms, "to": now_ms - LATE_MS}
            [row] = store.query(_UNSCANNED, {"site": site_id, **times})
            yield _share(site_id, rule, row["unscanned"], row["visits"], "visits name a scan that no one registered")


def _silent(store: Reader, site_id: str, rule: WatchRule, now_ms: int) -> Iterator[RuleVerdict]:
    """Codes that had scans and have none; one that has scans again, or never had enough, is fine."""
    since_ms = now_ms - rule.within_ms
    now = {one.qr_code_id: one.scan_count for one in _funnels(store, site_id, rule, since_ms, now_ms)}
    before = _funnels(store, site_id, rule, since_ms - USUAL_DAYS * DAY_MS, since_ms)
    usual = {one.qr_code_id: one.scan_count / USUAL_DAYS for one in before}
    for code in sorted({*now, *usual, *rule.qr_code_ids} - {""}):
        scans, a_day = now.get(code, 0), usual.get(code, 0.0)
        state = State.FINE if scans else State.ALARM if a_day >= rule.usual else State.UNKNOWN
        text = f"{code}: {counted(scans, 'scan')} within {_span(rule.within_ms)}, {a_day:.1f} a day in the week before"
        yield RuleVerdict(site_id=site_id, rule=rule.name, kind=rule.kind, qr_code_id=code, state=state, text=text)


def _share(site_id: str, rule: WatchRule, part: int, whole: int, what: str) -> RuleVerdict:
    share = part / whole if whole else 0.0
    state = State.UNKNOWN if whole < rule.least else State.ALARM if share > rule.over else State.FINE
    text = f"{part} of {whole} {what} within {_span(rule.within_ms)} ({share:.0%})"
    return RuleVerdict(site_id=site_id, rule=rule.name, kind=rule.kind, state=state, text=text)


def _funnels(store: Reader, site_id: str, rule: WatchRule, from_ms: int, to_ms: int) -> list[pb.QrCodeFunnel]:
    request = pb.GetFunnelRequest(
        site_id=site_id, from_time=timestamp(from_ms), to_time=timestamp(to_ms), qr_code_ids=rule.qr_code_ids
    )
    found: list[pb.QrCodeFunnel] = []
    while True:
        answer = follow_scans(store, request, to_ms)
        found += answer.funnels
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


def _span(span_ms: int) -> str:
    hours = span_ms / HOUR_MS
    if hours == int(hours):
        days, rest = divmod(int(hours), 24)
        return counted(days, "day") if days > 1 and not rest else counted(int(hours), "hour")
    return f"{hours:g} hours"
