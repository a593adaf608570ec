"""A day of believable traffic for one site, made up from a seed: scans, visits, purchases and all that goes wrong.

What is sent is written as JSON has it, in the order of sending. Nothing here knows the service's rules; what is to come
of a day is worked out by `day_oracle`. Every time is distinct, so that no rule has to decide a tie.
"""

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final
from uuid import UUID

__all__ = ["BOT", "FIREFOX", "HOUR_MS", "MINUTE_MS", "Day", "Person", "Sent", "make_day", "written_time"]

FIREFOX: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"
BOT: Final = "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"
HOUR_MS: Final = 3_600_000
MINUTE_MS: Final = 60_000
CODES: Final = tuple(f"poster-{number}" for number in range(12))
JUNK: Final = ("undefined", "null", "{{user_id}}", "00000000-0000-0000-0000-000000000000")
# More than an identifier may be shared by before it stops naming anyone.
CROWD: Final = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody's identifiers; empty where there is none."""

    external_id: str = ""
    email: str = ""
    phone: str = ""

    def identifiers(self, kinds: Sequence[str]) -> dict[str, str]:
        """Some of them, as a backend sends them."""
        whole = {"external_id": self.external_id, "email_hash": sha(self.email), "phone_hash": sha(self.phone)}
        return {kind: whole[kind] for kind in kinds if whole[kind]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One thing that is sent."""

    node: int
    kind: str
    """register, browser or server."""
    body: dict[str, Any]
    agent: str = FIREFOX
    is_bad: bool = False
    """To be rejected."""
    is_bot: bool = False
    is_time_impossible: bool = False
    """The time of receipt takes the place of its event_time."""


@dataclass(slots=True, kw_only=True)
class Day:
    """All that is sent, and about whom."""

    site_id: str
    other_site_id: str
    base_ms: int
    sent: list[Sent]
    people: list[Person]


@dataclass(slots=True)
class _Visit:
    """What is sent of one scan, in its order."""

    node: int
    body: dict[str, Any] = field(default_factory=dict)
    before: list[Sent] = field(default_factory=list)
    during: list[Sent] = field(default_factory=list)
    late: list[Sent] = field(default_factory=list)


def sha(text: str) -> str:
    """As clients hash; the empty text has none."""
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def written_time(time_ms: int) -> str:
    """RFC 3339, to the millisecond."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def make_day(seed: int, *, site_id: str, base_ms: int, arrivals: int, nodes: int = 1) -> Day:
    """A day from `base_ms` on with about so many arrivals, never fewer, sent to several nodes."""
    return _Maker(seed, site_id, base_ms, nodes).make(arrivals)


class _Maker:
    def __init__(self, seed: int, site_id: str, base_ms: int, nodes: int) -> None:
        self._chance = random.Random(seed)
        self._nodes = nodes
        self._base_ms = base_ms
        self._site_id, self._other_site_id = site_id, f"{site_id}-other"
        self._times: set[int] = set()
        self._numbers = count(1)
        self._people = [self._person(number) for number in range(160)]
        # Two accounts of one household, and an office whose switchboard is everybody's phone.
        for first in range(0, 20, 2):
            shared = self._people[first].phone or "+4366012345"
            for at in (first, first + 1):
                one = self._people[at]
                self._people[at] = Person(external_id=f"{self._site_id}-ext-{at}", email=one.email, phone=shared)
        self._office = [Person(external_id=f"desk-{number}", phone="+43100100") for number in range(CROWD)]

    def make(self, arrivals: int) -> Day:
        visits: list[_Visit] = [self._kiosk(), self._switchboard()]
        while sum(len(one.before) + len(one.during) + len(one.late) for one in visits) < arrivals:
            visits.append(self._visit())
        # Visits overlap: each moment has the next of any of them, and what is late comes at the end of the day.
        lines = [[*one.before, *one.during] for one in visits]
        sent = list(self._interleaved(lines))
        late = [thing for one in visits for thing in one.late]
        self._chance.shuffle(late)
        return Day(
            site_id=self._site_id,
            other_site_id=self._other_site_id,
            base_ms=self._base_ms,
            sent=[*sent, *late],
            people=[*self._people, *self._office],
        )

    def _interleaved(self, lines: list[list[Sent]]) -> Iterator[Sent]:
        open_lines = [list(reversed(line)) for line in lines if line]
        while open_lines:
            # A few visits are under way at a time.
            at = self._chance.randrange(min(len(open_lines), 40))
            yield open_lines[at].pop()
            if not open_lines[at]:
                del open_lines[at]

    def _person(self, number: int) -> Person:
        kinds = self._chance.choice(["eep", "ee", "e", "mp", "m", "p", "emp"])
        return Person(
            external_id=f"{self._site_id}-ext-{number}" if "e" in kinds else "",
            email=f"person{number}@{self._site_id}.example" if "m" in kinds or kinds == "eep" else "",
            phone=f"+43660{number:07}" if "p" in kinds else "",
        )

    def _visit(self) -> _Visit:
        chance = self._chance
        visit = _Visit(chance.randrange(self._nodes))
        scan_ms = self._time(self._base_ms + 4 * HOUR_MS, 18 * HOUR_MS)
        person = chance.choice([None, None, chance.choice(self._people), chance.choice(self._people)])
        consent = chance.choices(["granted", "", "pending", "denied"], [70, 10, 10, 10])[0]
        visit.body = {"site_id": self._site_id, "scan_session_id": f"scan-{self._site_id}-{next(self._numbers)}"}
        if consent:
            visit.body["consent"] = consent
        is_bot = chance.random() < 0.07
        self._registrations(visit, scan_ms, person, must_be_first=consent == "denied")
        for kind in ["pageview"] * chance.randint(1, 4) + ["click"] * chance.randint(0, 2):
            self._browse(visit, kind, scan_ms, is_bot=is_bot, is_early=consent != "denied" and chance.random() < 0.03)
        if chance.random() < 0.4 and not is_bot:
            self._convert(visit, person or Person(email=f"once{next(self._numbers)}@shop.example"), scan_ms)
        if chance.random() < 0.12:
            visit.during.append(self._bad(visit))
        return visit

    def _registrations(self, visit: _Visit, scan_ms: int, person: Person | None, *, must_be_first: bool) -> None:
        chance = self._chance
        scan = {
            "site_id": self._site_id,
            "scan_session_id": visit.body["scan_session_id"],
            "qr_code_id": chance.choice(CODES),
            "scan_time": written_time(scan_ms),
        }
        how = "early" if must_be_first else chance.choices(["early", "late", "never", "foreign"], [60, 25, 10, 5])[0]
        if how == "foreign":
            where = chance.choice([visit.before, visit.late])
            where.append(Sent(node=visit.node, kind="register", body=scan | {"site_id": self._other_site_id}))
        elif how != "never":
            where = visit.before if how == "early" else visit.late
            if person and person.external_id and chance.random() < 0.2:
                scan["user_id"] = person.external_id
            where.append(Sent(node=visit.node, kind="register", body=scan))
            if chance.random() < 0.05:
                again_ms = self._time(scan_ms + MINUTE_MS, MINUTE_MS)
                again = scan | {"qr_code_id": chance.choice(CODES), "scan_time": written_time(again_ms)}
                chance.choice([visit.before, visit.late]).append(Sent(node=visit.node, kind="register", body=again))

    def _browse(self, visit: _Visit, kind: str, scan_ms: int, *, is_bot: bool, is_early: bool) -> None:
        number = next(self._numbers)
        at_ms = self._time(scan_ms - 3 * HOUR_MS, HOUR_MS) if is_early else self._time(scan_ms, 20 * MINUTE_MS)
        body = visit.body | {
            "event_id": self._event_id(),
            "event_type": kind,
            "event_time": written_time(at_ms),
            "page_url": f"https://shop.example/p/{number}?utm_source=qr",
            "page_title": f"Page {number}",
            "metadata": {"sku": f"A{number}", "position": number % 7},
        }
        event = Sent(node=visit.node, kind="browser", body=body, agent=BOT if is_bot else FIREFOX, is_bot=is_bot)
        visit.during.append(event)
        self._repeat(visit, event, {"page_title": f"Another page {number}"})

    def _convert(self, visit: _Visit, person: Person, scan_ms: int) -> None:
        chance = self._chance
        kinds = [kind for kind in ("external_id", "email_hash", "phone_hash") if chance.random() < 0.75]
        purchase = self._server(visit, person.identifiers(kinds), scan_ms)
        if chance.random() < 0.08:
            junk = chance.choice(JUNK)
            left = {"external_id": junk} if chance.random() < 0.5 else {"email_hash": sha(junk)}
            purchase.body["user_identifiers"] = purchase.body["user_identifiers"] | left
        if chance.random() < 0.2:
            copy = {key: value for key, value in purchase.body.items() if key in visit.body}
            copy |= {
                "event_id": purchase.body["event_id"],
                "event_type": "purchase",
                "event_time": written_time(self._time(scan_ms + 21 * MINUTE_MS, MINUTE_MS)),
                "page_url": "https://shop.example/thanks",
            }
            both = [purchase, Sent(node=visit.node, kind="browser", body=copy)]
            chance.shuffle(both)
            visit.during += both
        else:
            visit.during.append(purchase)
            self._repeat(visit, purchase, self._contradiction(purchase))
        if chance.random() < 0.1:
            visit.during.append(self._refund(visit, purchase, scan_ms))

    def _server(self, visit: _Visit, identifiers: dict[str, str], scan_ms: int) -> Sent:
        chance = self._chance
        at_ms = self._time(scan_ms + 22 * MINUTE_MS, 20 * MINUTE_MS)
        is_impossible = chance.random() < 0.04
        body = visit.body | {
            "event_id": self._event_id(),
            "event_name": chance.choice(["purchase", "purchase", "signup", "lead"]),
            "event_time": chance.choice(["1970-01-01T00:00:01Z", "2119-01-01T00:00:00Z"])
            if is_impossible
            else written_time(at_ms),
            "user_identifiers": identifiers,
            "properties": {"order": f"order-{next(self._numbers)}"},
        }
        if body["event_name"] == "purchase":
            currency = chance.choice(["EUR", "EUR", "CHF"])
            body["conversion_value"] = {"amount": chance.randint(100, 20_000) / 100, "currency": currency}
        return Sent(node=visit.node, kind="server", body=body, is_time_impossible=is_impossible)

    def _refund(self, visit: _Visit, purchase: Sent, scan_ms: int) -> Sent:
        value = purchase.body.get("conversion_value", {"amount": 5.0, "currency": "EUR"})
        body = purchase.body | {
            "event_id": self._event_id(),
            "event_name": "refund",
            "event_time": written_time(self._time(scan_ms + HOUR_MS, HOUR_MS)),
            "conversion_value": value | {"amount": -value["amount"]},
        }
        return Sent(node=visit.node, kind="server", body=body)

    def _contradiction(self, purchase: Sent) -> dict[str, Any]:
        """Another payload under the same id, with an address that must join nobody."""
        stranger = self._chance.choice(self._people)
        return {
            "properties": {"order": f"order-{next(self._numbers)}"},
            "user_identifiers": {
                **purchase.body["user_identifiers"],
                **stranger.identifiers(["email_hash"]),
            },
        }

    def _repeat(self, visit: _Visit, event: Sent, change: dict[str, Any]) -> None:
        """Sometimes again as it is, sometimes with other contents under the same id."""
        lot = self._chance.random()
        if lot < 0.06:
            visit.during.append(event)
        elif lot < 0.09:
            other = Sent(
                node=event.node,
                kind=event.kind,
                body=event.body | change,
                agent=event.agent,
                is_bot=event.is_bot,
                is_time_impossible=event.is_time_impossible,
            )
            visit.during.append(other)

    def _bad(self, visit: _Visit) -> Sent:
        body = visit.body | {"event_id": self._event_id(), "event_type": "click"}
        wrong: list[dict[str, Any]] = [
            {"metadata": {"contact": "jane.doe@mail.example"}},
            {"event_type": ""},
            {"event_type": "x" * 200},
        ]
        return Sent(node=visit.node, kind="browser", body=body | self._chance.choice(wrong), is_bad=True)

    def _kiosk(self) -> _Visit:
        """A device in a shop: one scan, in which a crowd identifies."""
        visit = _Visit(0)
        visit.body = {"site_id": self._site_id, "scan_session_id": f"kiosk-{self._site_id}"}
        scan_ms = self._time(self._base_ms + 4 * HOUR_MS, HOUR_MS)
        self._registrations(visit, scan_ms, None, must_be_first=True)
        for number in range(CROWD):
            person = Person(external_id=f"guest-{number}")
            visit.during.append(self._server(visit, person.identifiers(["external_id"]), scan_ms))
        for _ in range(5):
            self._browse(visit, "pageview", scan_ms, is_bot=False, is_early=False)
        return visit

    def _switchboard(self) -> _Visit:
        """Colleagues with accounts of their own and one phone; then the phone alone."""
        visit = _Visit(0)
        for person in (*self._office, Person(phone=self._office[0].phone)):
            visit.body = {
                "site_id": self._site_id,
                "scan_session_id": f"desk-{self._site_id}-{next(self._numbers)}",
                "consent": "granted",
            }
            scan_ms = self._time(self._base_ms + 4 * HOUR_MS, 10 * HOUR_MS)
            visit.during.append(self._server(visit, person.identifiers(["external_id", "phone_hash"]), scan_ms))
        return visit

    def _time(self, from_ms: int, within_ms: int) -> int:
        """A time that nothing else has."""
        while True:
            time_ms = from_ms + self._chance.randrange(within_ms)
            if time_ms not in self._times:
                self._times.add(time_ms)
                return time_ms

    def _event_id(self) -> str:
        return str(UUID(int=self._chance.getrandbits(128), version=4))
