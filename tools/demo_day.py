"""A day of twelve QR codes in three cities, made up: scans, visits and sales, and what else reaches a redirect.

The same for the same seed and end. Nothing here talks to a node: `demo.py` does.
"""

import random
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from qrumb_server.commands.samples import AGENTS

__all__ = ["Day", "Visit", "make_day"]

SITE: Final = "demo"
Body = dict[str, Any]
# Networks of universities in these cities: their addresses stay where they are.
CITIES: Final[Mapping[str, str]] = {"vienna": "131.130", "berlin": "130.149", "zurich": "129.132"}
PLACES: Final[Mapping[str, float]] = {"station": 1.0, "museum": 0.6, "market": 0.4, "cafe": 0.25}
CHROME_HINTS: Final = {
    "sec-ch-ua": '"Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"',
    "sec-ch-ua-mobile": "?1",
    "sec-ch-ua-platform": '"Android"',
}
PREVIEWS: Final = (
    "Twitterbot/1.0",
    "WhatsApp/2.24.20.80 A",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
)
PROGRAMS: Final = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.5.0",
    "python-requests/2.32.3",
)
# How many people scan in each hour of the day, in parts of its busiest.
HOURS: Final = (1, 1, 0, 0, 0, 1, 3, 7, 9, 6, 6, 8, 10, 9, 7, 7, 8, 10, 9, 7, 6, 4, 3, 2)
SCANS_OF_BUSIEST: Final = 110
"""People's scans of the code at the busiest place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request of a visitor's browser."""

    headers: Mapping[str, str]
    event: Body


@dataclass(slots=True, kw_only=True)
class Day:
    """What reaches the node."""

    scans: list[Body] = field(default_factory=list)
    late_scans: list[Body] = field(default_factory=list)
    """Registered after their visits, since the redirect's network was away."""
    visits: list[Visit] = field(default_factory=list)
    sales: list[Body] = field(default_factory=list)
    """Server events, refunds among them."""


def make_day(seed: int, end: datetime, scans_of_busiest: int = SCANS_OF_BUSIEST) -> Day:
    """The day before `end`, which has a zone."""
    chance = random.Random(seed)  # noqa: S311
    day = Day()
    for city, network in CITIES.items():
        for place, share in PLACES.items():
            code = f"{city}-{place}"
            labels = {"city": city, "placement": place, "utm_campaign": "autumn"}
            number = round(scans_of_busiest * share * chance.uniform(0.8, 1.2))
            for _ in range(number):
                address = f"{network}.{chance.randint(1, 250)}.{chance.randint(1, 250)}"
                _person(day, chance, _time(chance, end), code, labels, address)
            for _ in range(max(2, number // 9)):
                _machine(day, chance, _time(chance, end), code, labels)
    _mistakes(day, chance)
    for bodies in (day.scans, day.late_scans, day.visits, day.sales):
        chance.shuffle(bodies)
    return day


def _person(day: Day, chance: random.Random, time: datetime, code: str, labels: Body, address: str) -> None:
    """A scan, and for most the landing page, some clicks and perhaps a purchase."""
    session = f"{chance.getrandbits(64):016x}"
    agent = AGENTS[min(int(chance.expovariate(0.7)), len(AGENTS) - 1)]
    hints = CHROME_HINTS if "Chrome/140" in agent else {}
    url = f"https://shop.example/{code.partition('-')[2]}?utm_campaign=autumn&qrs={session}"
    scan = _scan(session, code, time, labels, agent=agent, landing_page_url=url, client_ip=address)
    if hints:
        scan["client_hints"] = {name.removeprefix("sec-ch-ua").strip("-") or "brands": hints[name] for name in hints}
    (day.late_scans if chance.random() < 0.04 else day.scans).append(scan)
    if chance.random() < 0.12:
        return  # the page was closed before it was there
    consent = chance.choices(("granted", "denied", "pending"), (80, 12, 8))[0]
    headers = {"user-agent": agent, "x-forwarded-for": address, **hints}
    pages = ["pageview", *["click"] * chance.randint(0, 3)]
    for number, kind in enumerate(pages):
        event = {
            **_event(chance, session, time + timedelta(seconds=2 + 15 * number), consent),
            "event_type": kind,
            "page_url": url,
            "page_title": "Autumn at the shop",
            "metadata": {"utm_campaign": "autumn"},
        }
        visit = Visit(headers=headers, event=event)
        day.visits.append(visit)
        if chance.random() < 0.02:
            day.visits.append(visit)  # sent again, since the first answer was lost
    if chance.random() < 0.16:
        _sale(day, chance, session, time + timedelta(minutes=chance.randint(2, 25)), consent)


def _sale(day: Day, chance: random.Random, session: str, time: datetime, consent: str) -> None:
    cents = chance.randint(900, 14_000)
    buyer = {"user_identifiers": {"external_id": f"customer-{chance.randint(1, 900)}"}} if consent == "granted" else {}
    sale = {
        **_event(chance, session, time, consent),
        **buyer,
        "event_name": "purchase",
        "conversion_value": _eur(cents),
    }
    day.sales.append(sale)
    if chance.random() < 0.03:
        day.sales.append(sale)
    if chance.random() < 0.08:
        refund = _event(chance, session, time + timedelta(hours=1), consent)
        day.sales.append({**refund, **buyer, "event_name": "refund", "conversion_value": _eur(-cents)})


def _machine(day: Day, chance: random.Random, time: datetime, code: str, labels: Body) -> None:
    """What else asks for the address: a preview, a program, a link checker's HEAD, a prefetch without a visit."""
    session = f"{chance.getrandbits(64):016x}"
    kind = chance.choices(("preview", "program", "head", "prefetch"), (5, 3, 2, 2))[0]
    agent = {"preview": chance.choice(PREVIEWS), "program": chance.choice(PROGRAMS)}.get(kind, AGENTS[0])
    more = {"request_method": "HEAD"} if kind == "head" else {"is_prefetch": True} if kind == "prefetch" else {}
    day.scans.append(_scan(session, code, time, labels, agent=agent, **more))
    if kind == "program" and chance.random() < 0.5:  # it runs the page's scripts too
        event = {**_event(chance, session, time + timedelta(seconds=1), "granted"), "event_type": "pageview"}
        day.visits.append(Visit(headers={"user-agent": agent, "x-forwarded-for": "192.0.2.77"}, event=event))


def _mistakes(day: Day, chance: random.Random) -> None:
    """Events that break a rule, as senders' mistakes do."""
    for visit in chance.choices(day.visits, k=6):
        event = {**visit.event, "event_id": str(uuid.UUID(int=chance.getrandbits(128), version=4)), "event_type": ""}
        day.visits.append(Visit(headers=visit.headers, event=event))
    for sale in chance.choices(day.sales, k=4):
        event_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        day.sales.append({**sale, "event_id": event_id, "conversion_value": {"amount": "19.90", "currency": "EURO"}})


def _scan(session: str, code: str, time: datetime, labels: Body, *, agent: str, **more: Any) -> Body:
    return {
        "site_id": SITE,
        "scan_session_id": session,
        "qr_code_id": code,
        "scan_time": _text(time),
        "user_agent": agent,
        "request_method": "GET",
        "labels": labels,
        **more,
    }


def _event(chance: random.Random, session: str, time: datetime, consent: str) -> Body:
    return {
        "site_id": SITE,
        "event_id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        "event_time": _text(time),
        "scan_session_id": session,
        "consent": consent,
    }


def _eur(cents: int) -> Body:
    return {"amount": f"{cents / 100:.2f}", "currency": "EUR"}


def _time(chance: random.Random, end: datetime) -> datetime:
    """Within the day before `end`, and long enough before it for what follows."""
    times: Iterator[datetime] = (
        end - timedelta(minutes=chance.uniform(90, 24 * 60)) for _ in iter(lambda: chance.random(), -1.0)
    )
    return next(time for time in times if chance.random() * max(HOURS) < HOURS[time.hour] + 0.2)


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
