"""What a site wants: its own settings, else those for all sites; and the same in every process of a node."""

from datetime import timedelta
from pathlib import Path

import pytest

from qrumb_server.config import Settings, load_settings
from qrumb_server.errors import ConfigError
from qrumb_server.model import FraudReason, FraudRules, SitePolicy

COMMON = """
[site]
default_consent = "pending"
non_personal_keys = ["campaign"]
[site.fraud]
session_events_per_minute = 5
ignored_reasons = ["bot"]
"""
OWN = """
[sites.shop]
default_consent = "denied"
[sites.shop.fraud]
address_events_per_minute = 9
[sites.blog]
non_personal_keys = []
"""


@pytest.fixture(autouse=True)
def empty_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings from outside."""
    monkeypatch.chdir(tmp_path)
    for name in ("HTTP_PORT", "GRPC_PORT", "DATA_DIR", "QRUMB_WORKERS", "GEOIP_CITY_DB", "GEOIP_ASN_DB"):
        monkeypatch.delenv(name, raising=False)


def load(tmp_path: Path, text: str) -> Settings:
    """Settings of a file."""
    file = tmp_path / "own.toml"
    file.write_text(text)
    return load_settings(file=file, environment={})


def test_without_settings_everything_is_allowed_where_nothing_is_stated(tmp_path: Path) -> None:
    """And the limits are those of the rules themselves."""
    assert load(tmp_path, "").policies()("shop") == SitePolicy(fraud=FraudRules())


def test_a_site_has_its_own_settings_and_the_common_ones_for_the_rest(tmp_path: Path) -> None:
    """Group by group, field by field."""
    policy = load(tmp_path, COMMON + OWN).policies()
    assert policy("any").default_consent == "pending"
    shop = policy("shop")
    assert (shop.default_consent, shop.non_personal_keys) == ("denied", {"campaign"})
    assert (shop.fraud.session_events_per_minute, shop.fraud.address_events_per_minute) == (5, 9)
    assert shop.fraud.ignored_reasons == {FraudReason.BOT}
    blog = policy("blog")
    assert (blog.default_consent, blog.non_personal_keys) == ("pending", frozenset())


def test_a_process_of_the_node_knows_what_a_site_does_not_state(tmp_path: Path) -> None:
    """The settings travel to workers and loader as JSON; a default there must not pass for the site's own word."""
    settings = load(tmp_path, COMMON + OWN)
    child = Settings.model_validate_json(settings.model_dump_json())
    for site_id in ("any", "shop", "blog"):
        assert child.policies()(site_id) == settings.policies()(site_id)


def test_times_of_the_fraud_rules_become_milliseconds(tmp_path: Path) -> None:
    """Seconds or ISO 8601, as for every other time."""
    settings = load(tmp_path, '[site.fraud]\nmax_clock_ahead = 60\nbefore_scan_tolerance = "PT2M"\n')
    assert settings.site.fraud.max_clock_ahead == timedelta(minutes=1)
    rules = settings.policies()("x").fraud
    assert (rules.max_clock_ahead_ms, rules.before_scan_tolerance_ms) == (60_000, 120_000)


def test_environment_sets_what_counts_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists as JSON."""
    monkeypatch.setenv("QRUMB_SITE__DEFAULT_CONSENT", "denied")
    monkeypatch.setenv("QRUMB_SITE__FRAUD__IGNORED_REASONS", '["data_centre_network"]')
    policy = load_settings(environment={}).policies()("x")
    assert policy.default_consent == "denied"
    assert policy.fraud.ignored_reasons == {FraudReason.DATA_CENTRE_NETWORK}


@pytest.mark.parametrize(
    ("text", "place", "mend"),
    [
        ('[site]\ndefault_consent = "yes"', "site.default_consent", "'granted', 'pending' or 'denied'"),
        ("[sites.shop]\ndefault_concent = 'denied'", "sites.shop.default_concent", "no such setting"),
        (
            "[sites.shop.fraud]\nsession_events_per_minute = 0",
            "sites.shop.fraud.session_events_per_minute",
            "equal to 1",
        ),
        ('[site.fraud]\nignored_reasons = ["bots"]', "site.fraud.ignored_reasons.0", "'bot', 'preview'"),
        ('[sites."not a site"]\ndefault_consent = "denied"', "sites.not a site", "[A-Za-z0-9_-]"),
        ("[site.fraud]\nmax_clock_ahead = 'soon'", "site.fraud.max_clock_ahead", "timedelta"),
    ],
    ids=["consent", "typo", "limit", "reason", "site id", "time"],
)
def test_mistakes_are_named_with_their_place_and_mend(tmp_path: Path, text: str, place: str, mend: str) -> None:
    """Where it is, and what would be right."""
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, text)
    said = str(refused.value)
    assert place in said
    assert mend in said
    assert "own.toml" in said
