"""A shop's posters over the last weeks, for the console: sessions, visits, purchases in two currencies, a refund.

And what goes wrong: an event that repeats, one that differs, broken rules, a bot, a session that was never registered.
"""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

__all__ = ["AGENT", "send_shop"]

# Scans of each code per day, today first; and on some days of the month before.
CODES = {
    "poster-7": (5, 7, 8, 3, 5, 6, 9, 4, 2, 6, 5, 7, 4, 3, 1, 5, 6, 4, 3, 2, 4, 1, 3, 2, 0, 1, 2, 1),
    "flyer-2": (3, 5, 2, 4, 1, 3, 0, 2, 3, 1, 2, 0, 1, 1),
    "table-12": (1, 0, 2, 1),
}
EARLIER_DAYS = (33, 35, 38, 41, 44, 47, 52)
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
# What fetches the address of a code for a preview, and a program.
MACHINES = ("Twitterbot/1.0", "WhatsApp/2.24.20.80 A", "curl/8.5.0")
Body = dict[str, Any]


def send_shop(client: httpx.Client, site: str, key: str = "") -> None:
    """Send it; the site's rows are those of this alone."""
    own = {"authorization": f"Bearer {key}"} if key else {}
    # Sessions first: an event that comes before its session is attributed later, which is shown by `late` alone.
    sessions, visits, purchases = [], [], []
    for scan in _scans(site):
        sessions.append(scan)
        session, number = scan["scan_session_id"], len(sessions)
        if number % 4:
            visits.append(_visit(site, session, f"https://shop.example/{scan['qr_code_id']}"))
        if number % 5 == 1:
            purchases.append(_purchase(site, session, "EUR", f"{20 + number}.90"))
        if number % 11 == 0:
            purchases.append(_purchase(site, session, "USD", "1249.00"))
    purchases.append(_purchase(site, sessions[0]["scan_session_id"], "EUR", "-5.50", "refund"))
    two_hours_ago = datetime.now(UTC) - timedelta(hours=2)
    for number, agent in enumerate(MACHINES):
        sessions.append({**_scan(site, f"machine-{number}", "flyer-2", two_hours_ago), "user_agent": agent})
    repeated = visits[0]
    changed = {**repeated, "page_title": "Another"}
    late = {**_visit(site, f"{site}-unregistered", "https://shop.example/late"), "colour": "red"}
    wrong = [
        {
            "site_id": site,
            "event_type": "pageview",
            "page_url": "https://shop.example/",
            "metadata": {"note": "a@shop.example"},
        },
        {"site_id": site, "page_url": "https://shop.example/", "consent": "granted"},
        {"site_id": site, "event_type": "pageview", "consent": "perhaps"},
    ]
    _post(client, "/scan-sessions/batch", {"scan_sessions": sessions}, own)
    _post(client, "/collect/batch", {"events": visits}, {"user-agent": AGENT})
    _post(client, "/server-events/batch", {"events": purchases}, own)
    _post(client, "/collect/batch", {"events": [repeated, changed, late, *wrong]}, {"user-agent": AGENT})
    _post(
        client, "/collect", _visit(site, sessions[1]["scan_session_id"], "https://shop.example/"), {"user-agent": BOT}
    )


def _scans(site: str) -> Iterator[Body]:
    now = datetime.now(UTC)
    for code, days in CODES.items():
        for ago, number in [*enumerate(days), *((earlier, days[0]) for earlier in EARLIER_DAYS)]:
            for index in range(number):
                time = now - timedelta(days=ago, minutes=20 + index)
                yield _scan(site, f"{code}-{ago}-{index}", code, time)


def _scan(site: str, name: str, code: str, time: datetime) -> Body:
    scan = {"site_id": site, "scan_session_id": f"{site}-{name}", "qr_code_id": code}
    return {**scan, "scan_time": time.isoformat()}


def _visit(site: str, session: str, page: str) -> Body:
    return {
        "event_id": str(uuid.uuid4()),
        "site_id": site,
        "event_type": "pageview",
        "page_url": page,
        "page_title": "Sneakers",
        "scan_session_id": session,
        "consent": "granted",
    }


def _purchase(site: str, session: str, currency: str, amount: str, name: str = "purchase") -> Body:
    return {
        "event_id": str(uuid.uuid4()),
        "site_id": site,
        "event_name": name,
        "scan_session_id": session,
        "consent": "granted",
        "conversion_value": {"amount": amount, "currency": currency},
        "properties": {"order": session},
    }


def _post(client: httpx.Client, path: str, body: Body, headers: dict[str, str]) -> None:
    answer = client.post(path, json=body, headers=headers)
    assert answer.status_code in {200, 400}, answer.text
