"""Who is let in, by sites that change while they are asked about."""

from pathlib import Path

import pytest
from grpc import StatusCode

from qrumb_server.access.admission import AccessDenied, Admission
from qrumb_server.access.keys import Scope, id_of
from qrumb_server.access.origins import Origins
from qrumb_server.access.quota import Quota
from qrumb_server.access.registry import Site, SiteRegistry
from qrumb_server.errors import ConfigError
from tests.support.site_keys import KEYS, key

NOW_MS = 1_700_000_000_000


class Clock:
    """Stands."""

    def now_ms(self) -> int:
        return NOW_MS


SITES = {
    "shop": Site(
        site_id="shop",
        origins=Origins(["https://shop.example"]),
        keys=(
            key("collect", Scope.COLLECT, expires_ms=NOW_MS + 1),
            key("query", Scope.QUERY),
            key("expired", Scope.COLLECT, expires_ms=NOW_MS),
        ),
    ),
    "other": Site(site_id="other", origins=Origins([]), keys=(key("other", *Scope),)),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sites.toml"
    path.touch()
    return path


@pytest.fixture
def admission(file: Path) -> Admission:
    return Admission(SiteRegistry(file, read=lambda _path: SITES, common=Site(), is_open=False), Clock())


def bearer(name: str) -> str:
    return f"Bearer {KEYS[name]}"


@pytest.mark.parametrize(
    ("authorization", "scope", "denial"),
    [
        (bearer("collect"), Scope.COLLECT, None),
        (bearer("collect").replace("Bearer", "bearer"), Scope.COLLECT, None),
        (bearer("query"), Scope.QUERY, None),
        (bearer("query"), None, None),
        ("", Scope.COLLECT, "KEY_MISSING"),
        ("", None, "KEY_MISSING"),
        ("Bearer", Scope.COLLECT, "KEY_INVALID"),
        ("Bearer qk_short", Scope.COLLECT, "KEY_INVALID"),
        (f"Basic {KEYS['collect']}", Scope.COLLECT, "KEY_INVALID"),
        (KEYS["collect"], Scope.COLLECT, "KEY_INVALID"),
        (bearer("unknown"), Scope.COLLECT, "KEY_INVALID"),
        (bearer("collect")[:-1] + ("a" if KEYS["collect"][-1] != "a" else "b"), Scope.COLLECT, "KEY_INVALID"),
        (bearer("expired"), Scope.COLLECT, "KEY_EXPIRED"),
        (bearer("collect"), Scope.QUERY, "KEY_SCOPE"),
        (bearer("query"), Scope.COLLECT, "KEY_SCOPE"),
        (bearer("query"), Scope.ADMIN, "KEY_SCOPE"),
        (bearer("other"), Scope.COLLECT, "KEY_OF_ANOTHER_SITE"),
        (bearer("other"), None, "KEY_OF_ANOTHER_SITE"),
    ],
)
def test_keys(admission: Admission, authorization: str, scope: Scope | None, denial: str | None) -> None:
    if denial is None:
        admission.check_key(["shop", "shop"], authorization, scope)
        return
    with pytest.raises(AccessDenied) as refused:
        admission.check_key(["shop"], authorization, scope)
    assert refused.value.reason.name == denial
    is_about_identity = refused.value.reason.code is StatusCode.UNAUTHENTICATED
    assert is_about_identity is (denial in {"KEY_MISSING", "KEY_INVALID", "KEY_EXPIRED"})
    assert not any(secret in str(refused.value) for secret in KEYS.values())


def test_one_event_of_another_site_refuses_the_batch(admission: Admission) -> None:
    with pytest.raises(AccessDenied) as refused:
        admission.check_key(["shop", "shop", "other"], bearer("collect"), Scope.COLLECT)
    assert refused.value.reason.name == "KEY_OF_ANOTHER_SITE"


def test_a_name_that_no_site_can_have_is_for_the_rules_to_reject(admission: Admission) -> None:
    """With a key; without one nothing is looked at."""
    admission.check_key(["", "not a site", "x" * 65], bearer("collect"), Scope.COLLECT)
    admission.check_origin(["", "not a site"], "https://evil.example")
    with pytest.raises(AccessDenied):
        admission.check_key([""], "", Scope.COLLECT)


@pytest.mark.parametrize(
    ("site_id", "origin", "denial"),
    [
        ("shop", "https://shop.example", None),
        ("shop", "", None),
        ("other", "", None),
        ("shop", "https://evil.example", "ORIGIN_NOT_ALLOWED"),
        ("shop", "null", "ORIGIN_NOT_ALLOWED"),
        ("other", "https://shop.example", "ORIGIN_NOT_ALLOWED"),
        ("shup", "https://shop.example", "SITE_UNKNOWN"),
        ("shup", "", "SITE_UNKNOWN"),
    ],
)
def test_origins(admission: Admission, site_id: str, origin: str, denial: str | None) -> None:
    if denial is None:
        admission.check_origin([site_id], origin)
        return
    with pytest.raises(AccessDenied) as refused:
        admission.check_origin(["shop", site_id], origin)
    assert refused.value.reason.name == denial


def test_open_access_asks_for_no_key(file: Path) -> None:
    sites = SiteRegistry(file, read=lambda _path: SITES, common=Site(), is_open=True)
    admission = Admission(sites, Clock())
    admission.check_key(["any"], "", Scope.ADMIN)
    admission.check_origin(["any"], "https://evil.example")
    assert admission.has_key(["any"], "")


def test_a_change_is_seen_and_a_broken_one_is_not(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second later, without a restart; the log says why the old sites stay."""
    now = 0.0

    def read(path: Path) -> dict[str, Site]:
        text = path.read_text()
        if text == "broken":
            raise ConfigError("line 1: broken\nline 2: too")
        return {name: SITES[name] for name in text.split()}

    file.write_text("shop")
    sites = SiteRegistry(file, read=read, common=Site(), is_open=False, monotonic=lambda: now)
    assert sites.named() == ["shop"]
    file.write_text("shop other")
    assert sites.named() == ["shop"], "it is not looked at for every event"
    now += 1
    assert sites.named() == ["other", "shop"]
    assert sites.find_key(id_of(KEYS["other"])) is not None
    file.write_text("broken")
    now += 1
    assert sites.named() == ["other", "shop"]
    logged = capsys.readouterr().out
    assert "line 1: broken" in logged
    now += 1
    assert sites.named() == ["other", "shop"]
    assert capsys.readouterr().out == "", "once"
    fresh = file.with_name("fresh")
    fresh.write_text("shop")
    fresh.replace(file)
    now += 1
    assert sites.named() == ["shop"]
    assert sites.find_key(id_of(KEYS["other"])) is None, "a key goes with its site"


def test_made_up_names_share_one_quota(file: Path) -> None:
    """The common one; there is none where no caller is asked for a key."""
    little = Quota(events_per_second=1, burst=1)
    sites = SiteRegistry(file, read=lambda _path: SITES, common=Site(quota=little), is_open=False)
    assert sites.quota("shop") == ("shop", SITES["shop"].quota)
    assert sites.quota("not a site") == sites.quota("shup") == ("", little)
    everybody = SiteRegistry(file, read=lambda _path: SITES, common=Site(), is_open=True)
    assert everybody.quota("any") == ("", Site().quota)


def test_a_missing_file_means_no_sites_and_is_picked_up_when_it_is_there(tmp_path: Path) -> None:
    now = 0.0
    path = tmp_path / "sites.toml"
    sites = SiteRegistry(path, read=lambda _path: SITES, common=Site(), is_open=False, monotonic=lambda: now)
    assert sites.find("shop") is None
    path.touch()
    now += 1
    assert sites.find("shop") == SITES["shop"]
