"""sites.toml as `qrumb sites` changes it: what was typed by hand stays, and what is written can be read."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qrumb_server.access.keys import Scope, id_of
from qrumb_server.config.site_file import SiteFile
from qrumb_server.config.sites import SiteSettings
from qrumb_server.errors import ConfigError

DAY_MS = timedelta(days=1) // timedelta(milliseconds=1)
TYPED = """\
# ours
[shop] # the shop
origins = [
    "https://shop.example", # German
    "https://www.shop.example",
]
retention = "30d" # the lawyers said so

# theirs
[blog]
default_consent = "pending"

[shop.quota]
# measured in spring
burst = 7
"""


def file_of(tmp_path: Path, text: str = TYPED) -> SiteFile:
    (tmp_path / "sites.toml").write_text(text)
    return SiteFile(tmp_path / "sites.toml", SiteSettings())


def test_what_is_changed_counts_and_every_comment_stays(tmp_path: Path) -> None:
    file = file_of(tmp_path)
    file.change_site(
        "shop",
        values={"retention": "90d", "default_consent": "denied", "quota.events_per_second": 5},
        add_origins=["https://*.shop.example", "https://shop.example"],
        remove_origins=["https://www.shop.example"],
    )
    shop = file.sites()["shop"]
    assert shop.origins.patterns == ("https://shop.example", "https://*.shop.example")
    assert shop.policy.retention_ms == 90 * DAY_MS
    assert shop.policy.default_consent == "denied"
    assert (shop.quota.events_per_second, shop.quota.burst) == (5, 7)
    text = file.path.read_text()
    for comment in ("# ours\n[shop] # the shop", "# German", "# the lawyers said so", "# measured in spring\nburst"):
        assert comment in text
    assert "# theirs\n[blog]\ndefault_consent" in text


def test_what_is_no_longer_stated_counts_as_for_all_sites(tmp_path: Path) -> None:
    file = file_of(tmp_path)
    file.change_site("shop", values={}, unset=["retention", "quota.burst", "quota.events_per_second"])
    assert file.sites()["shop"].policy.retention_ms == 400 * DAY_MS
    assert file.sites()["shop"].quota.burst == SiteSettings().quota.burst


def test_a_table_that_ends_before_a_comment_is_added_to_before_it(tmp_path: Path) -> None:
    """The comment is about the next site."""
    file = file_of(tmp_path, '[shop]\norigins = ["*"]\n\n# theirs\n[blog]\n')
    key = file.add_key("blog", [Scope.COLLECT])
    file.change_site("shop", values={"retention": "9d", "quota.burst": 3})
    text = file.path.read_text()
    assert "# theirs\n[blog]" in text
    assert text.index("retention") < text.index("# theirs")
    assert file.sites()["shop"].quota.burst == 3
    assert file.sites()["blog"].keys[0].id == id_of(key)


def test_a_comment_goes_with_its_table_alone(tmp_path: Path) -> None:
    """Not with the one before it."""
    file = file_of(tmp_path, "# all\n[shop]\n\n# theirs\n[blog]\n# end of blog\n\n# last\n[news]\n")
    keys = [id_of(file.add_key("shop", [Scope.COLLECT])) for _ in range(2)]
    text = file.path.read_text().replace(
        f'[[shop.keys]]\nid = "{keys[1]}"', f'# second\n[[shop.keys]]\nid = "{keys[1]}"'
    )
    assert "# second" in text
    file.path.write_text(text)
    file.revoke_key("shop", keys[0])
    assert f'# second\n[[shop.keys]]\nid = "{keys[1]}"' in file.path.read_text()
    file.remove_site("blog")
    text = file.path.read_text()
    assert "# theirs" not in text
    assert text.startswith("# all\n[shop]\n")
    assert text.endswith("\n# last\n[news]\n")


def test_a_key_expires_when_it_is_told_to_and_later_again(tmp_path: Path) -> None:
    file = file_of(tmp_path, "[shop]\n\n# theirs\n[blog]\n")
    keep, end = (id_of(file.add_key("shop", [Scope.COLLECT])) for _ in range(2))
    for time in (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 6, 1, 12, tzinfo=UTC)):
        file.expire_key("shop", end, time)
        expiries = {key.id: key.expires_ms for key in file.sites()["shop"].keys}
        assert expiries == {keep: None, end: time.timestamp() * 1000}
    assert "# theirs\n[blog]" in file.path.read_text()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda file: file.add_site("shop", []), "the site shop is there already; `qrumb sites set shop` changes it"),
        (lambda file: file.change_site("none", values={}), "no site none; there are: shop, blog"),
        (
            lambda file: file.change_site("shop", values={}, remove_origins=["https://else.example"]),
            "the site shop has no origin https://else.example; it has https://shop.example, https://www.shop.example",
        ),
        (lambda file: file.change_site("blog", values={}, remove_origins=["*"]), "no origin *; it has none"),
        (
            lambda file: file.change_site("shop", values={}, add_origins=["shop.example"]),
            "shop.origins.2: should be an origin, such as https://shop.example",
        ),
        (lambda file: file.change_site("shop", values={"retention": "401d"}), "shop.retention: Input should be"),
        (lambda file: file.expire_key("shop", "abc", datetime.now(UTC)), "the site shop has no key abc; it has none"),
    ],
    ids=["twice", "no site", "no origin", "no origins", "bad origin", "too long", "no key"],
)
def test_a_change_that_cannot_be_is_told_and_changes_nothing(
    tmp_path: Path, change: Callable[[SiteFile], object], said: str
) -> None:
    file = file_of(tmp_path)
    with pytest.raises(ConfigError) as caught:
        change(file)
    assert said in str(caught.value)
    assert file.path.read_text() == TYPED


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"file/sites.toml: cannot be written: Not a directory"):
        SiteFile(tmp_path / "file" / "sites.toml", SiteSettings()).add_site("shop", [])
