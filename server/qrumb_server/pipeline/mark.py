"""Why an event is not believed: the fraud reasons, and the rules that give them. Marked events are kept.

The reasons are `model.FraudReason`. What one event shows by itself is decided at its receipt
(`marks_at_receipt`); what takes others to see, a session, a rate, is decided in the loader (`marks_at_loading`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from qrumb_server.model import FraudReason, FraudRules, Source

__all__ = ["RESCORABLE", "Rate", "Shown", "is_impossible", "kept_reasons", "marks_at_loading", "marks_at_receipt"]


# What a stored row and its session still tell; for the others the input is forgotten after the receipt.
RESCORABLE: Final = frozenset(
    {FraudReason.BOT, FraudReason.IMPOSSIBLE_TIME, FraudReason.BEFORE_SCAN, FraudReason.FOREIGN_SESSION}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What an event shows by itself."""

    source: Source
    has_agent: bool
    is_bot: bool
    is_preview: bool
    contradicts_hints: bool
    is_prefetch: bool
    is_data_centre: bool
    ahead_ms: int
    """How far the sender's time is ahead of the receipt; negative: behind."""
    retention_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Events per minute so far, this one included; 0 where there is nothing to count by."""

    session: float = 0
    address: float = 0


def marks_at_receipt(shown: Shown, rules: FraudRules) -> list[str]:
    """Reasons that the event gives by itself."""
    found = {
        FraudReason.BOT: shown.is_bot,
        FraudReason.PREVIEW: shown.is_preview,
        FraudReason.PREFETCH: shown.is_prefetch,
        FraudReason.MISSING_AGENT: shown.source is Source.BROWSER and not shown.has_agent,
        FraudReason.AGENT_MISMATCH: shown.contradicts_hints,
        FraudReason.DATA_CENTRE_NETWORK: shown.is_data_centre,
        FraudReason.IMPOSSIBLE_TIME: is_impossible(shown.ahead_ms, shown.retention_ms, rules),
    }
    return kept_reasons((reason for reason, holds in found.items() if holds), rules)


def marks_at_loading(
    *, event_time_ms: int, scan_time_ms: int | None, is_foreign: bool, rate: Rate, rules: FraudRules
) -> list[str]:
    """Reasons that take more than the event to see."""
    before = scan_time_ms is not None and event_time_ms < scan_time_ms - rules.before_scan_tolerance_ms
    found = {
        FraudReason.SESSION_VELOCITY: rate.session > rules.session_events_per_minute,
        FraudReason.ADDRESS_VELOCITY: rate.address > rules.address_events_per_minute,
        FraudReason.BEFORE_SCAN: before,
        FraudReason.FOREIGN_SESSION: is_foreign,
    }
    return kept_reasons((reason for reason, holds in found.items() if holds), rules)


def is_impossible(ahead_ms: int, retention_ms: int, rules: FraudRules) -> bool:
    """Whether no honest clock is that far ahead of the receipt (negative: behind)."""
    return ahead_ms > rules.max_clock_ahead_ms or -ahead_ms > retention_ms


def kept_reasons(reasons: Iterable[str], rules: FraudRules) -> list[str]:
    """The reasons that the site wants to be marked by, as plain text."""
    return [str(reason) for reason in reasons if reason not in rules.ignored_reasons]
