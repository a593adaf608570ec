"""The carriers that an event passes through, each a type of its own: RawEvent -> ValidEvent -> StampedEvent.

The words for verdicts (Violation, EventWarning) are the contract's own messages, so that what a stage says is
what the sender reads.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, NamedTuple

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.receipt_pb2 import EventWarning, Violation
from qrumb.v1.server_event_pb2 import ServerEvent, UserIdentifiers
from qrumb_server.wire.v1.record_pb2 import Record

__all__ = [
    "SITE_ID_PATTERN",
    "TABLE_RETENTION_MS",
    "UUID_PATTERN",
    "Caller",
    "ConsentName",
    "Conversion",
    "FraudReason",
    "FraudRules",
    "RawEvent",
    "Reading",
    "Rejected",
    "SitePolicy",
    "Source",
    "StampedEvent",
    "ValidEvent",
    "Watch",
    "WatchKind",
    "WatchRule",
    "is_site_id",
    "is_uuid",
]

SITE_ID_PATTERN: Final = "[A-Za-z0-9_-]{1,64}"
"""As a regular expression."""

is_site_id = re.compile(SITE_ID_PATTERN).fullmatch
"""Whether a text could be the id of a site."""

UUID_PATTERN: Final = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
"""The normal form of a UUID, as a regular expression."""

is_uuid = re.compile(UUID_PATTERN).fullmatch
"""Whether a text is a UUID in its normal form."""

TABLE_RETENTION_MS: Final = 400 * 86_400_000
"""What the tables keep by their TTL; a site may have its rows kept for less."""


ConsentName = Literal["granted", "pending", "denied"]
"""The values of the column consent, where it is not empty."""


class Source(StrEnum):
    """Where an event came from; the value of the column `source`."""

    BROWSER = "browser"
    SERVER = "server"


class Caller(NamedTuple):  # one is made for every call: a fifth of the cost of a frozen dataclass
    """What is known of a request as a whole. Empty strings: not known."""

    request_id: str = ""
    """The gateway's id of the request, the same on its retries. Empty without a gateway."""
    client_ip: str = ""
    """The visitor's address as the gateway saw it. Never stored or logged."""
    user_agent: str = ""
    referrer: str = ""
    """The page that the request came from (the header Referer), where the gateway passed it on."""
    hint_brands: str = ""
    """Client hint sec-ch-ua, as it was sent; so the next two."""
    hint_mobile: str = ""
    hint_platform: str = ""
    is_prefetch: bool = False
    """The browser fetched the page before the visitor asked for it (sec-purpose and its forerunners)."""
    attempt: int = 1
    """Which try of the gateway this is; from 2 on, an earlier one may have been kept."""


class FraudReason(StrEnum):
    """Why an event is not believed; the values of the column fraud_reasons. Stable: charts and filters rely on them."""

    BOT = "bot"
    """The agent is a program: a crawler, a monitor, a library."""
    PREVIEW = "preview"
    """The agent fetches pages to show a card of their link; then also bot."""
    PREFETCH = "prefetch"
    """A browser loaded the page before the visitor asked for it."""
    HEAD_REQUEST = "head_request"
    """A scan whose address was only looked at, by a request without a page. Of scans alone."""
    MISSING_AGENT = "missing_agent"
    """A browser event without a User-Agent, or a scan whose redirect states that there was none."""
    AGENT_MISMATCH = "agent_mismatch"
    """User-Agent and client hints name things that no honest browser names together."""
    DATA_CENTRE_NETWORK = "data_centre_network"
    """The address belongs to a network that rents out machines."""
    IMPOSSIBLE_TIME = "impossible_time"
    """A browser's time is far in the future, or older than anything is kept."""
    SESSION_VELOCITY = "session_velocity"
    """More events of one scan session within a minute than a visitor makes."""
    ADDRESS_VELOCITY = "address_velocity"
    """More scans of one address within a minute than a crowd makes, or events beside those of registered sessions."""
    BEFORE_SCAN = "before_scan"
    """The event is older than the scan that it claims to follow."""
    FOREIGN_SESSION = "foreign_session"
    """The scan session belongs to another site."""
    FORGED_SESSION = "forged_session"
    """The site's redirect signs its scan sessions, and has not signed this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FraudRules:
    """When an event is marked; see `pipeline.mark`. `config.FraudSettings` explains it, as SiteSettings the policy."""

    session_events_per_minute: int = 120
    address_events_per_minute: int = 600
    address_scans_per_minute: int = 1_200
    max_clock_ahead_ms: int = 86_400_000
    before_scan_tolerance_ms: int = 600_000
    ignored_reasons: frozenset[FraudReason] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFault:
    """A place in an event's own fields that is not as planned."""

    path: tuple[str | int, ...]
    """From metadata or properties."""
    description: str
    """Quotes no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the own fields of one kind of event are to be; `config.plans` reads it."""

    find_faults: Callable[[object], Iterable[PlanFault]]
    """Of metadata or properties as plain values."""
    is_enforced: bool
    """An event that does not fit is rejected; else its sender is warned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePolicy:
    """What a site wants done with its events. `config.SiteSettings` explains it, and takes its defaults from here."""

    default_consent: ConsentName = "granted"
    non_personal_keys: frozenset[str] = frozenset()
    fraud: FraudRules = FraudRules()
    session_secrets: tuple[str, ...] = ()
    """What the site's redirect signs scan sessions with, any of them; empty: it does not sign."""
    retention_ms: int = TABLE_RETENTION_MS
    plans: Mapping[str, Plan] = field(default_factory=dict)
    """By event_type of browser events, event_name of others."""


class WatchKind(StrEnum):
    """What a rule looks at; `config.WatchRuleSettings` explains each."""

    SILENT = "silent"
    SUSPECT_SHARE = "suspect_share"
    UNSCANNED_VISITS = "unscanned_visits"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRule:
    """When those who count want to be told."""

    name: str
    kind: WatchKind
    qr_code_ids: tuple[str, ...] = ()
    within_ms: int
    usual: float = 0.0
    over: float = 0.0
    least: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A site's rules, and where it is told."""

    url: str
    secret: str = field(repr=False)
    rules: tuple[WatchRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What an event's JSON holds beside what its message can, and what the reading has found odd."""

    own_fields: Mapping[str, object] | None = None
    """metadata or properties as plain values, which the message then does not have; None where they were not sent."""
    own_text: str = ""
    """The same as canonical JSON within all limits, where the reader has made it; else empty."""
    violations: Sequence[Violation] = ()
    warnings: Sequence[EventWarning] = ()
    unread: Mapping[str, object] = field(default_factory=dict)
    """Paths of fields that are not set because their values could not be read; and those values."""
    unknown: Mapping[str, object] = field(default_factory=dict)
    """Paths of members that the contract does not have, and their values; and of enums, names that they do not have."""
    meant: Mapping[str, str] = field(default_factory=dict)
    """Paths of fields that such members were probably meant to be, and the paths under which those were sent."""
    masked_text: str = ""
    """Where the whole was not JSON: its beginning, with all but signs and known names masked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawEvent:
    """An event as it was sent."""

    source: Source
    message: BrowserEvent | ServerEvent
    caller: Caller
    index: int
    """Place in the request, from 0."""
    reading: Reading | None = None
    """What JSON had to say beside; None where the message is all that was sent."""
    oversize: int = 0
    """Bytes that it had on the wire, where those are more than allowed; the message is then only its beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """An amount of money, exact: `amount` is a decimal text with at most four decimals."""

    amount: str
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidEvent:
    """An event that breaks no rule, with its values in their normal form."""

    raw: RawEvent
    """The event without what could not be used or kept; the very one that was sent where nothing was changed."""
    event_id: str
    """Lower case; empty where the sender gave none."""
    event_time_ms: int | None
    """The sender's time; None where the sender gave none."""
    conversion: Conversion | None
    user_identifiers: UserIdentifiers | None
    metadata: str
    """Canonical JSON text of metadata or properties."""
    consent: str
    """The consent that counts: granted, denied or pending; empty where none was stated and all is allowed."""
    warnings: Sequence[EventWarning]


@dataclass(frozen=True, slots=True, kw_only=True)
class StampedEvent:
    """An event with all that can only be known at its receipt: ready for the spool."""

    record: Record
    """A spool record of the kind accepted_event."""
    warnings: Sequence[EventWarning]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """An event that breaks at least one rule."""

    raw: RawEvent
    event_id: str
    """As sent, cut and without e-mail addresses; made by the service where none was sent."""
    violations: Sequence[Violation]
