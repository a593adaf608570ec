"""What a site wants: its own table in sites.toml, else the settings for all sites; mistakes, and how to fix them."""

import base64
from datetime import timedelta
from pathlib import Path

import pytest

from qrumb_server.access.keys import Scope, id_of
from qrumb_server.access.registry import SiteRegistry
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
[site.quota]
events_per_second = 7
"""
OWN = """
[shop]
default_consent = "denied"
[shop.fraud]
address_events_per_minute = 9
[shop.quota]
burst = 8
[blog]
non_personal_keys = []
"""
HASH = "ab" * 32


@pytest.fixture(autouse=True)
def empty_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings from outside."""
    monkeypatch.chdir(tmp_path)
    for name in ("HTTP_PORT", "GRPC_PORT", "QRUMB_WORKERS", "GEOIP_CITY_DB", "GEOIP_ASN_DB", "QRUMB_ACCESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))


def load(tmp_path: Path, common: str = "", own: str | None = None) -> Settings:
    """Settings of two files."""
    file = tmp_path / "own.toml"
    file.write_text(common)
    if own is not None:
        (tmp_path / "sites.toml").write_text(own)
    return load_settings(file=file, environment={})


def sites(tmp_path: Path, common: str = "", own: str | None = None) -> SiteRegistry:
    """The sites of two files."""
    return load(tmp_path, common, own).open_sites()


def test_without_settings_everything_is_allowed_where_nothing_is_stated(tmp_path: Path) -> None:
    """And the limits are those of the rules themselves."""
    assert sites(tmp_path).policy("shop") == SitePolicy(fraud=FraudRules())


def test_a_site_has_its_own_settings_and_the_common_ones_for_the_rest(tmp_path: Path) -> None:
    """Group by group, field by field."""
    known = sites(tmp_path, COMMON, OWN)
    assert known.policy("any").default_consent == "pending"
    shop = known.policy("shop")
    assert (shop.default_consent, shop.non_personal_keys) == ("denied", frozenset({"campaign"}))
    assert (shop.fraud.session_events_per_minute, shop.fraud.address_events_per_minute) == (5, 9)
    assert shop.fraud.ignored_reasons == {FraudReason.BOT}
    blog = known.policy("blog")
    assert (blog.default_consent, blog.non_personal_keys) == ("pending", frozenset())
    site = known.find("shop")
    assert site is not None
    assert (site.quota.events_per_second, site.quota.burst) == (7, 8)
    assert known.named() == ["blog", "shop"]
    assert known.find("any") is None


def test_a_process_of_the_node_knows_the_same(tmp_path: Path) -> None:
    """The settings travel to workers and loader as JSON; the sites they read themselves."""
    settings = load(tmp_path, COMMON, OWN)
    child = Settings.model_validate_json(settings.model_dump_json())
    for site_id in ("any", "shop", "blog"):
        assert child.open_sites().policy(site_id) == settings.open_sites().policy(site_id)


def test_times_of_the_fraud_rules_become_milliseconds(tmp_path: Path) -> None:
    """Seconds or ISO 8601, as for every other time."""
    settings = load(tmp_path, '[site.fraud]\nmax_clock_ahead = 60\nbefore_scan_tolerance = "PT2M"\n')
    assert settings.site.fraud.max_clock_ahead == timedelta(minutes=1)
    rules = settings.open_sites().policy("x").fraud
    assert (rules.max_clock_ahead_ms, rules.before_scan_tolerance_ms) == (60_000, 120_000)


def test_environment_sets_what_counts_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists as JSON."""
    monkeypatch.setenv("QRUMB_SITE__DEFAULT_CONSENT", "denied")
    monkeypatch.setenv("QRUMB_SITE__FRAUD__IGNORED_REASONS", '["data_centre_network"]')
    policy = load_settings(environment={}).open_sites().policy("x")
    assert policy.default_consent == "denied"
    assert policy.fraud.ignored_reasons == {FraudReason.DATA_CENTRE_NETWORK}


def test_keys_origins_and_secrets_of_a_site(tmp_path: Path) -> None:
    """As the checks need them."""
    text = f"""
[shop]
origins = ["https://Shop.example:443", "https://*.shop.example", "null"]
session_secrets = ["{"s" * 32}"]
[[shop.keys]]
id = "abcd1234"
hash = "{HASH}"
scopes = ["collect", "query"]
expires = 2030-01-01
[[shop.keys]]
id = "abcd1235"
hash = "{HASH}"
expires = 2030-01-01T02:00:00+02:00
"""
    known = sites(tmp_path, "", text)
    site = known.find("shop")
    assert site is not None
    assert site.origins.patterns == ("https://shop.example", "https://*.shop.example", "null")
    assert site.policy.session_secrets == ("s" * 32,)
    first, second = site.keys
    assert first.scopes == {Scope.COLLECT, Scope.QUERY}
    assert second.scopes == {Scope.COLLECT}
    assert first.expires_ms == second.expires_ms == 1_893_456_000_000
    assert known.find_key("abcd1235") == (site, second)


@pytest.mark.parametrize(
    ("text", "place", "fix"),
    [
        ('[site]\ndefault_consent = "yes"', "site.default_consent", "'granted', 'pending' or 'denied'"),
        ('[site.fraud]\nignored_reasons = ["bots"]', "site.fraud.ignored_reasons.0", "'bot', 'preview'"),
        ("[site.fraud]\nmax_clock_ahead = 'soon'", "site.fraud.max_clock_ahead", "a duration, such as"),
        ("[sites.shop]", "sites", "no such setting"),
        ("access = 'open'\nhttp_host = '0.0.0.0'", "http_host must be 127.0.0.1", "access = keys"),
        ("access = 'shut'", "access", "'keys' or 'open'"),
    ],
    ids=["consent", "reason", "time", "old place", "open to the world", "access"],
)
def test_mistakes_in_the_settings_are_named_with_their_place_and_fix(
    tmp_path: Path, text: str, place: str, fix: str
) -> None:
    """Where it is, and what would be right."""
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, text)
    for part in (place, fix, "own.toml"):
        assert part in str(refused.value)


KEY = "qk_abcd1234_" + "k" * 40
SIGNS = f"whsec_{base64.b64encode(bytes(32)).decode()}"


def watched(
    rules: str = 'name = "r"\nkind = "silent"\nusual = 4', url: str = "https://a.example", secret: str = SIGNS
) -> str:
    """A site with rules."""
    return f'[shop.watch]\nurl = "{url}"\nsecret = "{secret}"\n[[shop.watch.rules]]\n{rules}\n'


@pytest.mark.parametrize(
    ("text", "place", "fix"),
    [
        ("[shop]\ndefault_concent = 'denied'", "shop.default_concent", "no such setting"),
        ("[shop.fraud]\nsession_events_per_minute = 0", "shop.fraud.session_events_per_minute", "equal to 1"),
        ('["not a site"]\ndefault_consent = "denied"', "[not a site]", "1 to 64 characters"),
        ("shop = 1", "shop", "a table, [shop]"),
        ("[shop", "sites.toml", "not valid TOML: Expected ']'"),
        ('[shop]\norigins = ["shop.example"]', "shop.origins.0", "such as https://shop.example"),
        ('[shop]\norigins = ["https://shop.example/"]', "shop.origins.0", "without a path"),
        ('[shop]\norigins = ["https://a.*.example"]', "shop.origins.0", "https://*.shop.example"),
        (f'[[shop.keys]]\nid = "abcd1234"\nhash = "{KEY}"', "shop.keys.0.hash", "holds the key itself"),
        ('[[shop.keys]]\nid = "abcd1234"\nhash = "zz"', "shop.keys.0.hash", "SHA-256 of the key"),
        ('[[shop.keys]]\nhash = "zz"', "shop.keys.0.id", "Field required"),
        (
            f'[[shop.keys]]\nid = "abcd1234"\nhash = "{HASH}"\nscopes = ["read"]',
            "shop.keys.0.scopes.0",
            "'collect', 'query' or 'admin'",
        ),
        (
            f'[[shop.keys]]\nid="abcd1234"\nhash="{HASH}"\n[[blog.keys]]\nid="abcd1234"\nhash="{HASH}"',
            "blog.keys",
            "see shop",
        ),
        ('[shop]\nsession_secrets = ["short"]', "shop.session_secrets.0", "qrumb sites session-secret"),
        ("[shop.quota]\nevents_per_second = 0", "shop.quota.events_per_second", "equal to 1"),
        (watched(url="shop.example"), "shop.watch.url", "such as https://hooks.shop.example/qrumb"),
        (watched(url="https://a.example:99999/"), "shop.watch.url", "no port from 1 to 65535"),
        (watched(url="https://me:word@a.example/"), "shop.watch.url", "no user, password"),
        (watched(url="https://a.example/#part"), "shop.watch.url", "no user, password or #fragment"),
        (f'[shop.watch]\nurl = "https://a.example"\nsecret = "{SIGNS}"\nrules = []', "shop.watch.rules", "a rule at"),
        (watched(secret="whsec_short"), "shop.watch.secret", "openssl rand -base64 32"),
        (watched('name = "r"\nkind = "quiet"'), "shop.watch.rules.0.kind", "'silent', 'suspect_share'"),
        (watched('name = "r"\nkind = "silent"'), "shop.watch.rules.0", "needs `usual`, such as usual = 40"),
        (watched('name = "r"\nkind = "silent"\nusual = 4\nover = 0.5'), "shop.watch.rules.0", "no `over`: take it out"),
        (watched('name = "r"\nkind = "suspect_share"\nover = 60'), "shop.watch.rules.0.over", "less than 1"),
        (watched('name = "r"\nkind = "silent"\nusual = 4\nwithin = "PT1M"'), "shop.watch.rules.0.within", "1 hour"),
        (
            watched('name = "r"\nkind = "unscanned_visits"\nover = 0.1\nqr_codes = ["a"]'),
            "shop.watch.rules.0",
            "has no `qr_codes`",
        ),
        (
            watched(
                'name = "r"\nkind = "silent"\nusual = 4\n[[shop.watch.rules]]\nname = "r"\nkind = "silent"\nusual = 5'
            ),
            "shop.watch",
            "give each a name of its own",
        ),
    ],
)
def test_mistakes_in_the_sites_are_named_with_their_place_and_fix(
    tmp_path: Path, text: str, place: str, fix: str
) -> None:
    """And no key or secret is quoted."""
    with pytest.raises(ConfigError) as refused:
        sites(tmp_path, "", text)
    said = str(refused.value)
    for part in (place, fix, "sites.toml"):
        assert part in said
    assert KEY not in said
    assert "short" not in said.replace("too short", "")


def test_rules_of_a_site_are_read(tmp_path: Path) -> None:
    """With their defaults, and only where a site has some; nothing shows the secret."""
    known = sites(tmp_path, "", watched() + "[blog]\n")
    [(site_id, watch)] = known.watches().items()
    assert (site_id, watch.url, watch.secret) == ("shop", "https://a.example", SIGNS)
    [rule] = watch.rules
    assert (rule.name, rule.kind, rule.usual, rule.within_ms, rule.qr_code_ids) == ("r", "silent", 4, 86_400_000, ())
    assert SIGNS not in repr(known.find("shop"))


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    """One line each."""
    with pytest.raises(ConfigError) as refused:
        sites(tmp_path, "", "[a]\nx = 1\ny = 2\n[b]\norigins = ['b']\n")
    assert len(str(refused.value).splitlines()) == 3


def test_the_file_is_changed_and_keeps_what_was_written_by_hand(tmp_path: Path) -> None:
    """Comments and order stay; the file is its owner's; a change that cannot be made leaves it as it is."""
    path = tmp_path / "sites.toml"
    file = load(tmp_path, "", '# ours\n[shop] # the shop\norigins = ["https://shop.example"]\n').site_file
    key = file.add_key("shop", [Scope.COLLECT, Scope.QUERY])
    file.add_site("blog", ["https://blog.example"])
    second = file.add_key("shop", [Scope.ADMIN])
    file.add_session_secret("shop", "t" * 40)
    text = path.read_text()
    assert text.startswith('# ours\n[shop] # the shop\norigins = ["https://shop.example"]\n')
    assert key not in text
    assert second not in text
    assert path.stat().st_mode & 0o777 == 0o600
    known = load(tmp_path).open_sites()
    found = known.find_key(id_of(key))
    assert found is not None
    assert found[0].site_id == "shop"
    assert found[1].matches(key)
    assert not found[1].matches(second)
    file.revoke_key("shop", id_of(key))
    assert load(tmp_path).open_sites().find_key(id_of(key)) is None
    for change, complaint in (
        (lambda: file.add_site("blog", []), "there already"),
        (lambda: file.add_site("new", ["ftp://x"]), "new.origins.0"),
        (lambda: file.add_key("shup", [Scope.COLLECT]), "no site shup; there are: shop, blog"),
        (lambda: file.revoke_key("shop", "00000000"), f"no key 00000000; it has {id_of(second)}"),
    ):
        before = path.read_text()
        with pytest.raises(ConfigError, match=complaint):
            change()
        assert path.read_text() == before
    file.remove_site("blog")
    assert list(file.sites()) == ["shop"]
    assert sorted(item.name for item in tmp_path.iterdir()) == ["own.toml", "sites.toml"]


def test_a_new_file_explains_itself(tmp_path: Path) -> None:
    """A reader of the file finds out what it is."""
    load(tmp_path).site_file.add_site("shop", [])
    assert "qrumb sites check" in (tmp_path / "sites.toml").read_text()
