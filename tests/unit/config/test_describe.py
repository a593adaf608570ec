"""What is told of the settings is what they are: nothing is left out, and a commented file says the same again."""

import tomllib
from pathlib import Path

from qrumb_server.config import Settings, load_settings
from qrumb_server.config.describe import commented_settings, commented_sites, describe
from qrumb_server.config.sites import SiteEntry, SiteSettings, parse_sites


def test_every_setting_is_explained() -> None:
    """The docstring under a field is its documentation."""
    silent = [one.path for model in (Settings, SiteEntry) for one in describe(model) if not one.text]
    assert silent == []


def test_a_commented_file_means_what_was_in_force(tmp_path: Path) -> None:
    """With the defaults as comments, so that a later release's count."""
    first = tmp_path / "first.toml"
    first.write_text(
        'workers = 3\n[spool]\nseal_after = "PT0.2S"\nsite_max_share = 1.0\n[gateway]\ncollect_paths = ["/e"]\n'
        '[gateway.tls]\ncertificate_file = "/c.pem"\nkey_file = "/k.pem"\n[site]\ndefault_consent = "denied"\n'
        "[site.fraud]\nsession_events_per_minute = 7\n"
    )
    settings = load_settings(file=first, environment={})
    text = commented_settings(settings)
    second = tmp_path / "second.toml"
    second.write_text(text)
    assert load_settings(file=second, environment={}).model_dump() == settings.model_dump()
    assert "# max_bytes = 8589934592" in text


def test_a_commented_file_of_defaults_is_one_of_comments(tmp_path: Path) -> None:
    """And no optional group is opened, whose certificate would then be missing."""
    file = tmp_path / "qrumb.toml"
    file.write_text(commented_settings(Settings()))
    assert load_settings(file=file, environment={}).model_dump() == Settings().model_dump()


def test_a_commented_file_holds_no_secret() -> None:
    settings = load_settings(environment={}, clickhouse={"url": "clickhouse://me:secret@db"})
    assert "secret@" not in commented_settings(settings)


def test_a_commented_sites_file_is_one_that_the_service_reads() -> None:
    """Its one site states nothing."""
    sites, problems = parse_sites(tomllib.loads(commented_sites()), SiteSettings())
    assert (sorted(sites), problems) == (["SITE"], [])
