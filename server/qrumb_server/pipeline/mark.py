"""Why an event is not believed: the fraud reasons, and the rules that give them. Marked events are kept.

The reasons are `model.FraudReason`. What one event shows by itself is decided at its receipt
(`marks_at_receipt`); what takes others to see, a session, a rate, is decided in the loader (`marks_at_loading`).
"""

from collections.abc import Iterable
from typing import Final

from qrumb_server.enrich.agent import Agent
from qrumb_server.model import FraudReason, FraudRules, Source

__all__ = ["RESCORABLE", "is_impossible", "kept_reasons", "marks_at_loading", "marks_at_receipt", "marks_of_scan"]

# What a stored row and its session still tell; for the others the input is forgotten after the receipt.
RESCORABLE: Final = frozenset(
    {FraudReason.BOT, FraudReason.IMPOSSIBLE_TIME, FraudReason.BEFORE_SCAN, FraudReason.FOREIGN_SESSION}
)


def marks_at_receipt(
    agent: Agent,
    *,
    source: Source,
    is_prefetch: bool,
    is_data_centre: bool,
    ahead_ms: int,
    retention_ms: int,
    is_forged: bool,
    rules: FraudRules,
) -> list[str]:
    """Reasons that the event gives by itself.

    Args:
        ahead_ms: how far the sender's time is ahead of the receipt; negative: behind.
        is_forged: the site signs its scan sessions, and not this one.
    """
    # Plain tests: this runs for every event, and nearly none is marked.
    found: list[str] = []
    if agent.is_bot:
        found.append(FraudReason.BOT)
    if agent.is_preview:
        found.append(FraudReason.PREVIEW)
    if is_prefetch:
        found.append(FraudReason.PREFETCH)
    if source is Source.BROWSER and not agent.device_type:
        found.append(FraudReason.MISSING_AGENT)
    if agent.contradicts_hints:
        found.append(FraudReason.AGENT_MISMATCH)
    if is_data_centre:
        found.append(FraudReason.DATA_CENTRE_NETWORK)
    # A backend's key vouches for the event: its wrong clock is corrected and said, and its money counts.
    if source is Source.BROWSER and is_impossible(ahead_ms, retention_ms, rules):
        found.append(FraudReason.IMPOSSIBLE_TIME)
    if is_forged:
        found.append(FraudReason.FORGED_SESSION)
    return kept_reasons(found, rules) if found else found


def marks_of_scan(
    agent: Agent,
    *,
    has_no_agent: bool,
    request_method: str,
    is_prefetch: bool,
    is_data_centre: bool,
    rules: FraudRules,
) -> list[str]:
    """Reasons that a scan gives by itself, in their order.

    Args:
        has_no_agent: the redirect states that the visitor's request had none; not: it states nothing.
    """
    found = {
        FraudReason.BOT: agent.is_bot,
        FraudReason.PREVIEW: agent.is_preview,
        FraudReason.PREFETCH: is_prefetch,
        FraudReason.HEAD_REQUEST: request_method.upper() == "HEAD",
        FraudReason.MISSING_AGENT: has_no_agent,
        FraudReason.AGENT_MISMATCH: agent.contradicts_hints,
        FraudReason.DATA_CENTRE_NETWORK: is_data_centre,
    }
    return sorted(kept_reasons((reason for reason, is_so in found.items() if is_so), rules))


def marks_at_loading(
    *,
    source: str,
    event_time_ms: int,
    scan_time_ms: int | None,
    is_foreign: bool,
    session_rate: float,
    address_rate: float,
    rules: FraudRules,
) -> list[str]:
    """Reasons that take more than the event to see.

    Args:
        session_rate: events per minute of the session so far, this one included; 0 where there is none. So the address.
    """
    found: list[str] = []
    if session_rate > rules.session_events_per_minute:
        found.append(FraudReason.SESSION_VELOCITY)
    if address_rate > rules.address_events_per_minute:
        found.append(FraudReason.ADDRESS_VELOCITY)
    # A backend's key vouches here too: an order that was imported late, or by a clock an hour off, is not fraud.
    if (
        source == Source.BROWSER
        and scan_time_ms is not None
        and event_time_ms < scan_time_ms - rules.before_scan_tolerance_ms
    ):
        found.append(FraudReason.BEFORE_SCAN)
    if is_foreign:
        found.append(FraudReason.FOREIGN_SESSION)
    return kept_reasons(found, rules) if found else found


def is_impossible(ahead_ms: int, retention_ms: int, rules: FraudRules) -> bool:
    """Whether no honest browser's clock is that far ahead of the receipt (negative: behind)."""
    return ahead_ms > rules.max_clock_ahead_ms or -ahead_ms > retention_ms


def kept_reasons(reasons: Iterable[str], rules: FraudRules) -> list[str]:
    """The reasons that the site wants to be marked by, as plain text."""
    return [str(reason) for reason in reasons if reason not in rules.ignored_reasons]
