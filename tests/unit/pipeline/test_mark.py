"""Each fraud reason by itself: what gives it, and what just does not."""

from typing import Any

import pytest

from qrumb_server.enrich.agent import Agent
from qrumb_server.model import FraudReason, FraudRules, Source
from qrumb_server.pipeline.mark import kept_reasons, marks_at_loading, marks_at_receipt, marks_of_scan

RULES = FraudRules()
DAY_MS = 86_400_000
HONEST: dict[str, Any] = {
    "agent": Agent(device_type="mobile", browser_family="Chrome Mobile", os_family="Android"),
    "source": Source.BROWSER,
    "is_prefetch": False,
    "is_data_centre": False,
    "ahead_ms": 0,
    "retention_ms": 400 * DAY_MS,
    "is_forged": False,
    "rules": RULES,
}
IN_ORDER: dict[str, Any] = {
    "event_time_ms": 1_000_000,
    "source": "browser",
    "scan_time_ms": 1_000_000,
    "is_foreign": False,
    "session_rate": 1,
    "address_rate": 1,
    "rules": RULES,
}


def at_receipt(**shown: Any) -> list[str]:
    """Reasons of an event that is honest but for what is given."""
    return marks_at_receipt(**{**HONEST, **shown})


def at_loading(**shown: Any) -> list[str]:
    """The same for what takes more than the event."""
    return marks_at_loading(**{**IN_ORDER, **shown})


@pytest.mark.parametrize(
    ("shown", "reasons"),
    [
        ({}, []),
        ({"agent": Agent(device_type="bot", is_bot=True)}, ["bot"]),
        ({"agent": Agent(device_type="bot", is_bot=True, is_preview=True)}, ["bot", "preview"]),
        ({"is_prefetch": True}, ["prefetch"]),
        ({"agent": Agent()}, ["missing_agent"]),
        ({"agent": Agent(), "source": Source.SERVER}, []),
        ({"agent": Agent(device_type="desktop", contradicts_hints=True)}, ["agent_mismatch"]),
        ({"is_data_centre": True}, ["data_centre_network"]),
        ({"ahead_ms": DAY_MS}, []),
        ({"ahead_ms": DAY_MS + 1}, ["impossible_time"]),
        ({"ahead_ms": -400 * DAY_MS}, []),
        ({"ahead_ms": -400 * DAY_MS - 1}, ["impossible_time"]),
        ({"ahead_ms": DAY_MS + 1, "source": Source.SERVER}, []),
        ({"ahead_ms": -4000 * DAY_MS, "source": Source.SERVER}, []),
        ({"is_forged": True}, ["forged_session"]),
        ({"is_prefetch": True, "is_data_centre": True}, ["prefetch", "data_centre_network"]),
    ],
)
def test_reasons_at_the_receipt(shown: dict[str, Any], reasons: list[str]) -> None:
    """Every reason alone, at its limit, and two at once."""
    assert at_receipt(**shown) == reasons


@pytest.mark.parametrize(
    ("shown", "reasons"),
    [
        ({}, []),
        ({"session_rate": 120}, []),
        ({"session_rate": 120.01}, ["session_velocity"]),
        ({"address_rate": 600}, []),
        ({"address_rate": 601}, ["address_velocity"]),
        ({"event_time_ms": 400_000}, []),
        ({"event_time_ms": 399_999}, ["before_scan"]),
        ({"event_time_ms": 0, "scan_time_ms": None}, []),
        ({"is_foreign": True, "scan_time_ms": None}, ["foreign_session"]),
        ({"session_rate": 1e9, "address_rate": 1e9}, ["session_velocity", "address_velocity"]),
    ],
)
def test_reasons_at_loading(shown: dict[str, Any], reasons: list[str]) -> None:
    """A limit itself is not a breach."""
    assert at_loading(**shown) == reasons


@pytest.mark.parametrize("reason", list(FraudReason))
def test_an_ignored_reason_never_marks(reason: FraudReason) -> None:
    """Whichever reason it is and wherever it is found; the others stay."""
    rules = FraudRules(ignored_reasons=frozenset({reason}))
    agent = Agent(device_type="bot", is_bot=True, is_preview=True, contradicts_hints=True)
    found = at_receipt(
        agent=agent, is_prefetch=True, is_data_centre=True, ahead_ms=2 * DAY_MS, is_forged=True, rules=rules
    )
    found += at_receipt(agent=Agent(), rules=rules)
    found += at_loading(event_time_ms=0, is_foreign=True, session_rate=1e9, address_rate=1e9, rules=rules)
    found += marks_of_scan(
        agent,
        has_no_agent=True,
        request_method="HEAD",
        is_prefetch=True,
        is_data_centre=True,
        rules=rules,
    )
    assert set(found) == set(FraudReason) - {reason}
    assert kept_reasons([str(one) for one in FraudReason], rules) == [one for one in FraudReason if one is not reason]


def test_reasons_are_plain_text() -> None:
    """They are written as they are."""
    assert {type(reason) for reason in at_receipt(is_prefetch=True) + at_loading(is_foreign=True)} == {str}
