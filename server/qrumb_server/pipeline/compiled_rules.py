"""What the compiled way (server/hotpath) is told: the rules' constants, each from the module that owns it, and what
counts for one call.

The compiled way may only say yes. It stands beside `run.judge` and gives the same bytes for an ordinary event; all
others it leaves to Python. A rule is read and changed in Python: a constant follows by itself, and where a rule has
another form than before, tests/property/pipeline/test_compiled.py fails until its twin in Rust has it too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from qrumb_server.enrich.agent import DEVICE_TYPES, NEVER_ON_IPAD, Agent, ClientHints, describe_agent
from qrumb_server.enrich.currency import currency_decimals
from qrumb_server.enrich.email_signs import SIGN_BEGINNINGS, SIGN_PATTERN
from qrumb_server.instants import FIRST_SECOND, LAST_SECOND
from qrumb_server.model import SITE_ID_PATTERN, UUID_PATTERN, Caller, FraudReason, SitePolicy
from qrumb_server.pipeline import context_fields, identity, placeholders, struct_json, validate
from qrumb_server.pipeline.consent import ALLOWED, STATED, Allowed
from qrumb_server.pipeline.personal_keys import PERSONAL_KEY_PATTERN
from qrumb_server.pipeline.stamp import MAX_AHEAD_MS, Enrichers, is_forged
from qrumb_server.pipeline.times import PLAIN_TIME_PATTERN
from qrumb_server.pipeline.urls import PAGE_URL_PATTERN, REFERRER_PATTERN

__all__ = [
    "Address",
    "Circumstances",
    "Rules",
    "SiteRules",
    "Visitor",
    "described",
    "look_up",
    "rules",
    "site_rules",
    "visitor",
]


# Reasons to mark an event that the compiled way can tell, in its order.
MARKS: Final = (
    FraudReason.BOT,
    FraudReason.PREVIEW,
    FraudReason.PREFETCH,
    FraudReason.MISSING_AGENT,
    FraudReason.AGENT_MISMATCH,
    FraudReason.DATA_CENTRE_NETWORK,
    FraudReason.FORGED_SESSION,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The constants; patterns are regular expressions that both engines read alike."""

    max_event_bytes: int
    max_batch_events: int
    site_id: str
    uuid: str
    no_names: set[str]
    max_scan_session_id: int
    max_name: int
    max_url: int
    max_title: int
    max_user_agent: int
    max_device_type: int
    max_language: int
    max_timezone: int
    max_screen: int
    max_touch_points: int
    max_external_id: int
    page_url: str
    referrer: str
    email_sign: tuple[str, str]
    """With the characters that its matches begin with."""
    plain_name: str
    name_of_hash: str
    placeholder_words: set[str]
    placeholder_filler: str
    placeholder_hashes: set[str]
    hash: str
    hash_of_nothing: str
    currency_decimals: Mapping[str, int]
    max_amount: float
    refund: str
    personal_key: str
    max_depth: int
    max_values: int
    max_json_bytes: int
    max_struct_bytes: int
    max_ahead_ms: int
    first_second: int
    last_second: int
    plain_time: str
    consent_names: Mapping[str, int]
    consents: list[tuple[int, str]]
    allowed: list[tuple[str, Allowed]]
    marks: list[str]
    receipt_form: tuple[str, str, str]
    device_types: set[str]
    never_on_ipad: set[str]


class Address(NamedTuple):
    """What is known of a visitor's address."""

    country_code: str = ""
    city: str = ""
    key: str = ""
    """Its keyed hash, another one each day."""
    is_data_centre: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRules:
    """What a site wants done with its events, as far as the compiled way goes."""

    unstated_consent: str
    retention_ms: int
    max_clock_ahead_ms: int
    ignored_reasons: set[str]
    keeps_fields: bool
    """It has listed own fields that stay where consent is denied."""
    is_forged: Callable[[str], bool] | None
    """Tells whether its redirect has not signed a scan session; None: it signs none."""


class Visitor(NamedTuple):
    """Who calls, and what was looked up of them."""

    agent: Agent
    """With its hints."""
    address: Address
    is_prefetch: bool
    is_retried: bool


class Circumstances(NamedTuple):  # made for every call: half the cost of a frozen dataclass
    """What counts for all events of a call."""

    received_time_ms: int
    caller: object
    """A qrumb_hotpath.Caller."""
    sites: Mapping[str, object]
    """A qrumb_hotpath.Site for each site of the call."""
    new_event_id: Callable[[int], str]
    """Names the event at a place, whose sender did not."""


def rules(
    *,
    max_event_bytes: int,
    max_batch_events: int,
    consent_names: Mapping[str, int],
    receipt_form: tuple[str, str, str],
) -> Rules:
    """The constants as they are now, two limits of the edge, and how its JSON has consents and receipts."""
    limits = validate.STRUCT_LIMITS
    return Rules(
        max_event_bytes=max_event_bytes,
        max_batch_events=max_batch_events,
        site_id=_whole(SITE_ID_PATTERN),
        uuid=_whole(UUID_PATTERN),
        no_names=set(validate.NO_NAMES),
        max_scan_session_id=validate.MAX_SCAN_SESSION_ID,
        max_name=validate.MAX_NAME,
        max_url=context_fields.MAX_URL,
        max_title=context_fields.MAX_TITLE,
        max_user_agent=context_fields.MAX_USER_AGENT,
        max_device_type=context_fields.MAX_DEVICE_TYPE,
        max_language=context_fields.MAX_LANGUAGE,
        max_timezone=context_fields.MAX_TIMEZONE,
        max_screen=context_fields.MAX_SCREEN,
        max_touch_points=context_fields.MAX_TOUCH_POINTS,
        max_external_id=validate.MAX_EXTERNAL_ID,
        page_url=_whole(PAGE_URL_PATTERN),
        referrer=_whole(REFERRER_PATTERN),
        email_sign=(SIGN_PATTERN, SIGN_BEGINNINGS),
        plain_name=_whole(placeholders.PLAIN_PATTERN),
        name_of_hash=_whole(identity.NAME_OF_HASH_PATTERN),
        placeholder_words=set(placeholders.WORDS),
        placeholder_filler=_whole(placeholders.FILLER_PATTERN),
        placeholder_hashes=set(placeholders.placeholder_hashes()),
        hash=_whole(validate.HASH_PATTERN),
        hash_of_nothing=placeholders.HASH_OF_NOTHING,
        currency_decimals=currency_decimals(),
        max_amount=validate.MAX_AMOUNT,
        refund=validate.REFUND,
        personal_key=PERSONAL_KEY_PATTERN,
        max_depth=limits.max_depth,
        max_values=limits.max_values,
        max_json_bytes=limits.max_json_bytes,
        max_struct_bytes=limits.max_json_bytes * struct_json.WIRE_BYTES_PER_JSON_BYTE,
        max_ahead_ms=MAX_AHEAD_MS,
        first_second=FIRST_SECOND,
        last_second=LAST_SECOND,
        plain_time=_whole(PLAIN_TIME_PATTERN),
        consent_names=consent_names,
        consents=[(int(state), name) for state, name in STATED.items()],
        allowed=list(ALLOWED.items()),
        marks=[reason.value for reason in MARKS],
        receipt_form=receipt_form,
        device_types=set(DEVICE_TYPES),
        never_on_ipad=set(NEVER_ON_IPAD),
    )


def _whole(pattern: str) -> str:
    """As Rust looks for a pattern that is the whole text."""
    return rf"\A(?:{pattern})\z"


def site_rules(site_id: str, policy: SitePolicy, retention_ms: int) -> SiteRules:
    """What a policy says. `retention_ms`: no site keeps a row longer."""
    fraud = policy.fraud
    return SiteRules(
        unstated_consent="" if policy.default_consent == "granted" else policy.default_consent,
        retention_ms=min(retention_ms, policy.retention_ms),
        max_clock_ahead_ms=fraud.max_clock_ahead_ms,
        ignored_reasons={reason.value for reason in fraud.ignored_reasons},
        keeps_fields=bool(policy.non_personal_keys),
        is_forged=partial(is_forged, policy.session_secrets, site_id) if policy.session_secrets else None,
    )


def visitor(caller: Caller, received_time_ms: int, enrichers: Enrichers) -> Visitor:
    """What the caller's agent and its hints say, and what is known of its address."""
    hints = ClientHints(caller.hint_brands, caller.hint_mobile, caller.hint_platform)
    return Visitor(
        agent=describe_agent(caller.user_agent, hints),
        address=look_up(caller.client_ip, received_time_ms, enrichers),
        is_prefetch=caller.is_prefetch,
        is_retried=caller.attempt > 1,
    )


def described(agent: str) -> Agent:
    """What an agent that an event states says; the hints are the request's and say nothing of it."""
    return describe_agent(agent)


def look_up(address: str, received_time_ms: int, enrichers: Enrichers) -> Address:
    """What is known of an address; nothing of a text that is none."""
    if not address:
        return Address()
    place = enrichers.locate(address)
    return Address(
        country_code=place.country_code,
        city=place.city,
        key=enrichers.address_key(address, received_time_ms),
        is_data_centre=enrichers.is_data_centre(address),
    )
