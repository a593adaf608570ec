"""Where ClickHouse is: understood in full or refused, and no secret in anything that can be read later."""

from pathlib import Path

import pytest

from qrumb_server.app.stores import server_options
from qrumb_server.config import REVEAL, Settings, load_settings
from qrumb_server.errors import ConfigError

SECRET = "s3cr3t"


@pytest.fixture(autouse=True)
def empty_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings from outside."""
    monkeypatch.chdir(tmp_path)
    for name in ("CLICKHOUSE_URL", "CLICKHOUSE_PASSWORD", "CLICKHOUSE_PASSWORD_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("url", "hosts", "user", "password", "is_secure"),
    [
        ("clickhouse://db", [("db", 9000)], "default", "", False),
        ("clickhouses://me@db/events", [("db", 9440)], "me", "", True),
        (
            "clickhouse://me:a%40b%2F%3A@h:1,h.example:2,[::1]:3/",
            [("h", 1), ("h.example", 2), ("::1", 3)],
            "me",
            "a@b/:",
            0,
        ),
    ],
)
def test_a_url_is_understood(url: str, hosts: list[tuple[str, int]], user: str, password: str, is_secure: bool) -> None:
    settings = load_settings(environment={}, clickhouse={"url": url})
    options = server_options(settings.clickhouse)
    assert (options.hosts, options.user, options.password, options.secure) == (hosts, user, password, is_secure)


def test_without_a_url_the_embedded_one_is_meant() -> None:
    assert load_settings(environment={}).clickhouse.url is None


@pytest.mark.parametrize(
    "url",
    [
        f"http://me:{SECRET}@db",
        f"clickhouse://me:{SECRET}@",
        f"clickhouse://me:{SECRET}@db/other",
        f"clickhouse://me:{SECRET}@db?secure=1",
        f"clickhouse://me:{SECRET}@db:0",
        f"clickhouse://me:{SECRET}@db,,db2",
        f"clickhouse://me:{SECRET}/x@db",
        f"me:{SECRET}@db",
    ],
)
def test_an_odd_url_is_refused_and_not_quoted(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKHOUSE_URL", url)
    with pytest.raises(ConfigError, match=r"clickhouse\.url") as refused:
        load_settings(environment={})
    assert SECRET not in str(refused.value)


def test_the_password_comes_from_a_file_a_variable_or_the_url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLICKHOUSE_URL", "clickhouse://me:url@db")
    assert load_settings(environment={}).clickhouse.read_password() == "url"
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", "variable")
    assert load_settings(environment={}).clickhouse.read_password() == "variable"
    monkeypatch.delenv("CLICKHOUSE_PASSWORD")
    file = tmp_path / "password"
    file.write_text("file\n")
    monkeypatch.setenv("CLICKHOUSE_PASSWORD_FILE", "password")
    clickhouse = load_settings(environment={}).clickhouse
    monkeypatch.chdir("/")
    assert clickhouse.read_password() == "file"
    file.unlink()
    with pytest.raises(ConfigError, match="password_file"):
        clickhouse.read_password()


def test_prefixed_variables_and_the_file_set_the_group_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "qrumb.toml").write_text('[clickhouse]\nurl = "clickhouse://file"\ncluster = "main"\n')
    assert load_settings(environment={}).clickhouse.hosts == [("file", 9000)]
    monkeypatch.setenv("CLICKHOUSE_URL", "clickhouse://plain")
    settings = load_settings(environment={})
    assert (settings.clickhouse.hosts, settings.clickhouse.cluster) == ([("plain", 9000)], "main")
    monkeypatch.setenv("QRUMB_CLICKHOUSE__URL", "clickhouse://prefixed")
    assert load_settings(environment={}).clickhouse.hosts == [("prefixed", 9000)]


@pytest.mark.parametrize(
    "group",
    [
        {"password": SECRET, "password_file": "/dev/null"},
        {"password": SECRET, "ca_file": "/no/such/file"},
        {"password": SECRET, "cluster": "x'; DROP"},
        {"password": SECRET, "nonsense": SECRET},
        {"password": [SECRET]},
    ],
    ids=lambda group: "-".join(group),
)
def test_a_wrong_group_is_refused_and_no_secret_is_shown(group: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="clickhouse") as refused:
        load_settings(environment={}, clickhouse={"url": f"clickhouse://me:{SECRET}@db", **group})
    assert SECRET not in str(refused.value)


def test_secrets_are_shown_to_our_own_children_alone() -> None:
    settings = load_settings(
        environment={}, clickhouse={"url": f"clickhouse://me:{SECRET}@db", "password": f"other-{SECRET}"}
    )
    options = server_options(settings.clickhouse)
    for text in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump()), repr(options)):
        assert SECRET not in text
    handed_on = Settings.model_validate_json(settings.model_dump_json(context=REVEAL))
    assert handed_on.clickhouse == settings.clickhouse
    assert handed_on.clickhouse.read_password() == f"other-{SECRET}"
