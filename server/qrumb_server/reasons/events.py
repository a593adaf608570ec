"""What can be wrong or odd with one event: the kinds of violations, of warnings and of fraud marks.

The contract (receipt.proto) and `model.FraudReason` own the names; here is what each means and what to do. The text
about a certain field stands with its rule, in `pipeline.validate` and `pipeline.strict_json`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from qrumb.v1.receipt_pb2 import EventWarning, Violation
from qrumb_server.reasons.entry import help_url

__all__ = ["MARKS", "VIOLATIONS", "WARNINGS", "Finding", "add_help"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One kind of thing that is found in events."""

    cause: str
    """When it is found, in a sentence or two."""
    advice: str
    """What the sender should do."""
    wrong: str = ""
    """An event's JSON that has it, where the golden verdicts hold none."""
    right: str = ""
    """The same without it."""


VIOLATIONS: Final[Mapping[str, Finding]] = {
    "REQUIRED": Finding(
        cause="A required field is missing or empty.",
        advice="Send the field. The contract says for each which are required.",
    ),
    "TOO_LONG": Finding(
        cause="A text has more characters than its field takes. Nothing is cut in silence, so the event is rejected.",
        advice="Shorten the text at its source; the description names the limit.",
    ),
    "INVALID_FORMAT": Finding(
        cause="A text has a form that its field does not allow.",
        advice="The description says what the field takes.",
    ),
    "INVALID_UUID": Finding(
        cause="event_id is not a UUID as 8-4-4-4-12 hex digits, or it is the nil or the max UUID, which name nothing.",
        advice="Derive a UUIDv5 of your order number (each client has a function for it), or make one UUID per event, "
        "preferably of version 7, and keep it on every retry; or leave it out.",
    ),
    "INVALID_ENUM": Finding(
        cause="A value is none of those that the field knows, such as a consent other than granted, denied or pending.",
        advice="Send one of the field's values, or leave it out.",
    ),
    "INVALID_URL": Finding(
        cause="No longer sent: a page_url or referrer that is not a URL is left out, see LEFT_OUT. Events that were "
        "rejected before have it.",
        advice="Send the whole address, `location.href`, or leave the field out.",
        wrong='{"site_id": "demo", "event_type": "click", "page_url": "shop.example"}',
        right='{"site_id": "demo", "event_type": "click", "page_url": "https://shop.example/"}',
    ),
    "INVALID_TIME": Finding(
        cause="A text is not a time, or one that cannot be read without a guess at what it says.",
        advice="Send UTC, in RFC 3339 with a Z.",
        wrong='{"site_id": "demo", "event_type": "click", "event_time": "noon"}',
        right='{"site_id": "demo", "event_type": "click", "event_time": "2026-07-01T12:00:00Z"}',
    ),
    "INVALID_IP": Finding(
        cause="No longer sent: a client_ip that is not an address is left out, see LEFT_OUT. Events that were rejected "
        "before have it.",
        advice="Send one address without a port and without a list of proxies, or leave it out.",
        wrong='{"site_id": "demo", "scan_session_id": "s", "event_name": "lead", "client_ip": "203.0.113.9:443"}',
        right='{"site_id": "demo", "scan_session_id": "s", "event_name": "lead", "client_ip": "203.0.113.9"}',
    ),
    "OUT_OF_RANGE": Finding(
        cause="A number is above or below what its field takes.",
        advice="The description names the limit.",
    ),
    "NOT_FINITE": Finding(
        cause="A number is NaN or infinite.",
        advice="Find the division or the parsing that made it, or leave the field out.",
    ),
    "INVALID_CURRENCY": Finding(
        cause="conversion_value.currency has the form of a code, but ISO 4217 has no such currency.",
        advice="Use the code of ISO 4217, such as EUR.",
    ),
    "NOT_HASHED": Finding(
        cause="email_hash or phone_hash holds what looks like a raw e-mail address or phone number.",
        advice="Normalise and hash it before sending: lower case and trimmed (or E.164), SHA-256, 64 hex digits.",
    ),
    "HASH_OF_NOTHING": Finding(
        cause="A hash is the SHA-256 of the empty text: all visitors without an address would become one user.",
        advice="Leave the field out where there is nothing to hash.",
    ),
    "CONTAINS_EMAIL": Finding(
        cause="A text that would be stored contains a raw e-mail address, which is never kept.",
        advice="Remove it, or hash it into user_identifiers.email_hash.",
    ),
    "TOO_LARGE": Finding(
        cause="metadata or properties are more bytes than an event may carry.",
        advice="Send what is counted or filtered by, and keep documents elsewhere.",
    ),
    "TOO_DEEP": Finding(
        cause="Objects and lists in metadata or properties are nested deeper than allowed.",
        advice="Flatten them.",
    ),
    "TOO_MANY_VALUES": Finding(
        cause="metadata or properties hold more values than allowed.",
        advice="Send fewer, or sum them up.",
    ),
    "NEGATIVE_AMOUNT": Finding(
        cause="conversion_value.amount is negative, and event_name is not refund.",
        advice="Send refunds with event_name refund, whatever your shop system calls them, and everything else with an "
        "amount of 0 or more.",
    ),
    "UNKNOWN_FIELD": Finding(
        cause="The request of an erasure, an export or a replay has no such field, and nothing was done. Of an event "
        "it is no longer sent: there an unknown field is the warning of this name.",
        advice="Look for a typo; fields of your own belong in metadata or properties.",
        wrong='{"site_id": "demo", "event_type": "click", "pageurl": "https://shop.example/"}',
        right='{"site_id": "demo", "event_type": "click", "page_url": "https://shop.example/"}',
    ),
    "DUPLICATE_KEY": Finding(
        cause="One JSON object has a key twice, in one spelling or in two.",
        advice="Write each key once.",
        wrong='{"site_id": "demo", "event_type": "click", "event_type": "scroll"}',
        right='{"site_id": "demo", "event_type": "click"}',
    ),
    "PRECISION_LOSS": Finding(
        cause="No longer sent: see the warning INEXACT_NUMBER.",
        advice="Send long ids as text.",
        wrong='{"site_id": "demo", "event_type": "click", "metadata": {"order": 12345678901234567890}}',
        right='{"site_id": "demo", "event_type": "click", "metadata": {"order": "12345678901234567890"}}',
    ),
    "INVALID_JSON": Finding(
        cause="The body is not JSON, or no event, or a value has another type than its field.",
        advice="The description says where reading stopped and what was expected.",
        wrong='{"site_id": 5, "event_type": "click"}',
        right='{"site_id": "demo", "event_type": "click"}',
    ),
    "PLACEHOLDER": Finding(
        cause="A required identifier is a word or a template that stands for no value, such as undefined, null or "
        "{{session}}, in whatever spelling. All events that have it would be one visitor's. An optional one is left "
        "out, see LEFT_OUT.",
        advice="Find where the value is lost, and send no event that needs it without it.",
    ),
    "PLAN_VIOLATION": Finding(
        cause="One of the sender's own fields, in metadata or properties, is not as the site's tracking plan has it. "
        "Where the plan only observes it is a warning, and the event is kept as it was sent.",
        advice="Send the field as the plan says, or change the plan: docs/plans.md.",
        wrong='{"site_id": "demo", "event_type": "add_to_cart", "metadata": {"sku": 7}}',
        right='{"site_id": "demo", "event_type": "add_to_cart", "metadata": {"sku": "A1"}}',
    ),
    "STORE_REFUSED": Finding(
        cause="The database refused the row of an accepted event. The fault is the service's; the event is kept as a "
        "rejected one.",
        advice="Nothing: the node's operator replays it (`qrumb replay`) once the cause is gone.",
    ),
    "INTERNAL": Finding(
        cause="The service failed on this event; its neighbours are not affected, and the event is kept.",
        advice="Report it with its event_id to the node's operator.",
    ),
}

WARNINGS: Final[Mapping[str, Finding]] = {
    "EVENT_TYPE_MISSING": Finding(
        cause="No longer sent: event_type is required, see REQUIRED.",
        advice="Say what happened: pageview, click, scroll.",
        wrong='{"site_id": "demo"}',
        right='{"site_id": "demo", "event_type": "pageview"}',
    ),
    "CLOCK_CORRECTED": Finding(
        cause="event_time cannot be true: in the future, or older than rows are kept. The time of receipt is used, and "
        "yours is kept in client_event_time; before 1900 and after 2299 as text, in client_event_time_text. Of a scan: "
        "scan_time cannot be true; the time of receipt is used, and yours is not kept.",
        advice="Send UTC, in RFC 3339 or as a Timestamp; set the sender's clock.",
    ),
    "AMOUNT_ROUNDED": Finding(
        cause="The amount has more decimals than its currency and was rounded.",
        advice="Round by your own rules before sending.",
    ),
    "TIME_INTERPRETED": Finding(
        cause="The time left something to guess: it is a number, or has no offset from UTC. The description "
        "says how it was read.",
        advice="Send UTC, in RFC 3339 with a Z.",
        wrong='{"site_id": "demo", "event_type": "click", "event_time": 1782907200}',
        right='{"site_id": "demo", "event_type": "click", "event_time": "2026-07-01T12:00:00Z"}',
    ),
    "LEFT_OUT": Finding(
        cause="The value of an optional field cannot be used and was left out; the event counts without it.",
        advice="Send what the field takes, as the description says, or leave it out.",
        wrong='{"site_id": "demo", "event_type": "click", "device": {"screen_width": 100001}}',
        right='{"site_id": "demo", "event_type": "click", "device": {"screen_width": 390}}',
    ),
    "EMAIL_REDACTED": Finding(
        cause="A raw e-mail address in a URL or a title was replaced by [email]; none is ever kept.",
        advice="Keep addresses out of URLs: they are in the logs of every server on the way.",
        wrong='{"site_id": "demo", "event_type": "click", "page_url": "https://shop.example/?mail=jane@gmail.com"}',
        right='{"site_id": "demo", "event_type": "click", "page_url": "https://shop.example/"}',
    ),
    "USER_INFO_REMOVED": Finding(
        cause="User and password were taken out of a URL.",
        advice="Send the URL without them.",
        wrong='{"site_id": "demo", "event_type": "click", "page_url": "https://jane:secret@shop.example/"}',
        right='{"site_id": "demo", "event_type": "click", "page_url": "https://shop.example/"}',
    ),
    "UNKNOWN_FIELD": Finding(
        cause="The contract has no such field, so it was not stored. Over gRPC: the sender's contract is newer.",
        advice="Look for a typo; fields of your own belong in metadata or properties. Upgrade a node before senders.",
        wrong='{"site_id": "demo", "event_type": "click", "pageurl": "https://shop.example/"}',
        right='{"site_id": "demo", "event_type": "click", "page_url": "https://shop.example/"}',
    ),
    "MISPLACED_FIELD": Finding(
        cause="The name means something, but not in this place, so it was not stored; or an e-mail address or a phone "
        "number seems to be among your own fields, where it is stored as it is.",
        advice="Put it where the description says.",
        wrong='{"site_id": "demo", "event_type": "click", "screen_width": 390}',
        right='{"site_id": "demo", "event_type": "click", "device": {"screen_width": 390}}',
    ),
    "INEXACT_NUMBER": Finding(
        cause="A double does not hold the number digit by digit: what is stored may not be what was meant.",
        advice="Send long ids as text.",
        wrong='{"site_id": "demo", "event_type": "click", "metadata": {"order": 12345678901234567890}}',
        right='{"site_id": "demo", "event_type": "click", "metadata": {"order": "12345678901234567890"}}',
    ),
    "REFUND_NOT_NEGATIVE": Finding(
        cause="The amount of a refund is positive. It is kept as it was sent, and raises what its code earned.",
        advice="Send what was paid back as a negative amount.",
        wrong='{"event_name": "refund", "conversion_value": {"amount": 30, "currency": "EUR"}}',
        right='{"event_name": "refund", "conversion_value": {"amount": -30, "currency": "EUR"}}',
    ),
    "PLAN_VIOLATION": Finding(
        cause="One of the sender's own fields is not as the site's tracking plan has it. Where the plan is enforced "
        "the event is rejected.",
        advice="Send the field as the plan says, or change the plan: docs/plans.md.",
        wrong='{"site_id": "demo", "event_type": "add_to_cart", "metadata": {"sku": 7}}',
        right='{"site_id": "demo", "event_type": "add_to_cart", "metadata": {"sku": "A1"}}',
    ),
    "SHARED_IDENTIFIER": Finding(
        cause="An identifier of the event's user, or its scan session, was seen with other users too. What it lends to "
        "events without a stronger identifier may be another's. Said by receipts of stored events.",
        advice="Nothing where people share a phone or a device; `qrumb identities --suspicious` lists what many share.",
    ),
}

MARKS: Final[Mapping[str, Finding]] = {
    "bot": Finding(
        cause="The agent is a program: a crawler, a monitor, a library.",
        advice="Nothing, if it is one. Backends state the visitor's user_agent, not their own.",
    ),
    "preview": Finding(
        cause="The agent fetches pages to show a card of their link, as messengers do; it is then marked bot as well.",
        advice="Nothing.",
    ),
    "prefetch": Finding(
        cause="A browser loaded the page before the visitor asked to see it.",
        advice="Nothing; the tag waits until a page is shown.",
    ),
    "head_request": Finding(
        cause="Of a scan: the address was asked for by HEAD, without its page, as link checkers do. It counts once the "
        "tag's first event of its session has arrived.",
        advice="Answer HEAD without registering a scan.",
    ),
    "missing_agent": Finding(
        cause="A browser event came without a User-Agent, or a scan whose redirect states that there was none.",
        advice="Send events of pages from the page itself, and those of backends to /server-events.",
    ),
    "agent_mismatch": Finding(
        cause="User-Agent and client hints name things that no honest browser names together.",
        advice="Nothing, unless a proxy of yours changes these headers.",
    ),
    "data_centre_network": Finding(
        cause="The address belongs to a network that rents out machines.",
        advice="Backends state the visitor's client_ip; a proxy in front is counted in `gateway.trusted_hops`.",
    ),
    "impossible_time": Finding(
        cause="A browser's event_time is far in the future, or older than anything is kept. A backend's is only "
        "corrected, see CLOCK_CORRECTED.",
        advice="Set the sender's clock; the limit is `site.fraud.max_clock_ahead`.",
    ),
    "session_velocity": Finding(
        cause="More events of one scan session within a minute than a visitor makes.",
        advice="Raise `site.fraud.session_events_per_minute` if your pages send more.",
    ),
    "address_velocity": Finding(
        cause="More events of one address within a minute than its visitors make. Events of a registered scan session "
        "do not count: a crowd may share an address.",
        advice="Register scan sessions, or raise `site.fraud.address_events_per_minute` where many visitors share an "
        "address.",
    ),
    "before_scan": Finding(
        cause="A browser's event is older than the scan that it claims to follow.",
        advice="Compare the clocks of the redirect and the sender; the limit is `site.fraud.before_scan_tolerance`.",
    ),
    "foreign_session": Finding(
        cause="The scan session belongs to another site.",
        advice="Look which site's redirect the link came from.",
    ),
    "forged_session": Finding(
        cause="The site's redirect signs its scan sessions, and has not signed this one.",
        advice="Send the scan session as the landing page received it, with its signature.",
    ),
}

_VIOLATION_URLS: Final = {number: help_url(name) for name, number in Violation.Reason.items() if number}
_WARNING_URLS: Final = {number: help_url(name) for name, number in EventWarning.Code.items() if number}


def add_help(violations: Iterable[Violation], warnings: Iterable[EventWarning] = ()) -> None:
    """Give each one of an answer the address of its documentation. Done at the edge: what is kept needs none."""
    for violation in violations:
        violation.help_url = _VIOLATION_URLS.get(violation.reason, "")
    for warning in warnings:
        warning.help_url = _WARNING_URLS.get(warning.code, "")
