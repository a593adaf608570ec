"""sites.toml: one table per site. Read by every process of a node, written by `qrumb sites`.

Writing keeps comments and order, replaces the file as a whole, and never makes one that could not be read.
"""

import contextlib
import fcntl
import os
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Table, Whitespace

from qrumb_server.access.keys import Scope, id_of, key_hash, new_key
from qrumb_server.access.registry import Site
from qrumb_server.config.sites import SiteSettings, parse_sites
from qrumb_server.errors import ConfigError

__all__ = ["SiteFile", "read_sites"]

HEADING: Final = """\
# The sites of this node: one table each. Nodes see a change within a second; one that cannot be used changes nothing
# and is logged. `qrumb sites check` says what is wrong. Keys are kept as hashes: `qrumb sites key SITE` makes one.
"""


def read_sites(path: Path, common: SiteSettings) -> dict[str, Site]:
    """The sites of a file.

    Raises:
        ConfigError: names every problem, where it is and how to fix it.
    """
    return _parse(_read(path), path, common)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8"
        raise ConfigError(f"{path}: cannot be read: {why}") from error


def _parse(text: str, path: Path, common: SiteSettings) -> dict[str, Site]:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    sites, problems = parse_sites(tables, common)
    if problems:
        raise ConfigError("\n".join(f"{path}: {problem}" for problem in problems))
    return sites


class SiteFile:
    """The file as the commands change it.

    Every change raises ConfigError where the file cannot be used as it is or would be.
    """

    def __init__(self, path: Path, common: SiteSettings) -> None:
        self.path = path
        self._common = common

    def sites(self) -> dict[str, Site]:
        """The sites of the file; none where there is no file."""
        text = self._text()
        return {} if text is None else _parse(text, self.path, self._common)

    def add_site(self, site_id: str, origins: list[str]) -> None:
        """Add a site without keys."""

        def add(document: Any) -> None:
            if site_id in document:
                raise ConfigError(
                    f"{self.path}: the site {site_id} is there already; `qrumb sites set {site_id}` changes it, "
                    f"`qrumb sites key {site_id}` makes another key"
                )
            table = tomlkit.table()
            table["origins"] = origins
            document[site_id] = table

        self._change(add)

    def change_site(
        self,
        site_id: str,
        *,
        values: Mapping[str, Any],
        unset: Collection[str] = (),
        add_origins: Iterable[str] = (),
        remove_origins: Iterable[str] = (),
    ) -> None:
        """Change what a site states, all of it or nothing.

        Args:
            values: by name, such as `retention`, or `quota.burst` for one of a group.
            unset: names that the site states no longer, so that what counts for all sites counts for it too.
            add_origins: those that are there already stay once.
            remove_origins: ConfigError if one is not there.
        """

        def change(document: Any) -> None:
            table = document[self._present(document, site_id)]
            for name in (*values, *unset):
                group, _, last = name.rpartition(".")
                target = table
                if group:
                    target = table[group] if group in table else table.setdefault(group, tomlkit.table())
                if name in values:
                    target[last] = values[name]
                else:
                    target.pop(last, None)
            self._change_origins(table, site_id, add_origins, remove_origins)

        self._change(change)

    def _change_origins(self, table: Any, site_id: str, added: Iterable[str], removed: Iterable[str]) -> None:
        if "origins" not in table:
            table["origins"] = tomlkit.array()
        origins = table["origins"]
        for origin in removed:
            if origin not in origins:
                known = ", ".join(origins) or "none"
                raise ConfigError(f"{self.path}: the site {site_id} has no origin {origin}; it has {known}")
            origins.remove(origin)
        for origin in added:
            if origin not in origins:
                origins.append(origin)

    def remove_site(self, site_id: str) -> None:
        """Remove a site; its rows stay where they are."""
        self._change(lambda document: document.remove(self._present(document, site_id)))

    def add_key(self, site_id: str, scopes: list[Scope], expires: datetime | None = None) -> str:
        """Make a key; returns it, and keeps its hash."""
        key = new_key()

        def add(document: Any) -> None:
            entry = tomlkit.table()
            entry["id"] = id_of(key)
            entry["hash"] = key_hash(key)
            entry["scopes"] = [str(scope) for scope in scopes]
            if expires is not None:
                entry["expires"] = expires
            document[self._present(document, site_id)].setdefault("keys", tomlkit.aot()).append(entry)

        self._change(add)
        return key

    def revoke_key(self, site_id: str, key_id: str) -> None:
        """Forget a key."""

        def revoke(document: Any) -> None:
            keys, index = self._find_key(document, site_id, key_id)
            del keys[index]

        self._change(revoke)

    def expire_key(self, site_id: str, key_id: str, expires: datetime) -> None:
        """Have a key refused from that time on, which may be earlier or later than what counted before."""

        def expire(document: Any) -> None:
            keys, index = self._find_key(document, site_id, key_id)
            keys[index]["expires"] = expires

        self._change(expire)

    def add_session_secret(self, site_id: str, secret: str) -> None:
        """Sign scan sessions with this from now on; what was signed before stays valid."""

        def add(document: Any) -> None:
            document[self._present(document, site_id)].setdefault("session_secrets", tomlkit.array()).append(secret)

        self._change(add)

    def _find_key(self, document: Any, site_id: str, key_id: str) -> tuple[Any, int]:
        """The site's keys, and the place of this one among them."""
        keys = document[self._present(document, site_id)].get("keys", [])
        index = next((index for index, key in enumerate(keys) if key.get("id") == key_id), None)
        if index is None:
            known = ", ".join(str(key.get("id")) for key in keys) or "none"
            raise ConfigError(f"{self.path}: the site {site_id} has no key {key_id}; it has {known}")
        return keys, index

    def _present(self, document: Any, site_id: str) -> str:
        if site_id not in document:
            known = ", ".join(document) or "none"
            raise ConfigError(f"{self.path}: no site {site_id}; there are: {known}; `qrumb sites add` adds one")
        return site_id

    def _text(self) -> str | None:
        """What is in the file; None where there is none."""
        try:
            self.path.lstat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be read: {error.strerror}") from error
        return _read(self.path)

    def _change(self, change: Callable[[Any], None]) -> None:
        try:
            with _locked(self.path.parent):
                text = self._text() or HEADING
                try:
                    document = tomlkit.parse(text)
                except TOMLKitError as error:
                    raise ConfigError(f"{self.path}: not valid TOML: {error}") from error
                _carry_comments(document)
                change(document)
                changed = tomlkit.dumps(document)
                _parse(changed, self.path, self._common)
                _replace(self.path, changed)
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be written: {error.strerror}") from error


def _carry_comments(document: Any) -> None:
    """Have each table carry the comments right above it: the parser leaves them at the end of the table before, where
    a new key would follow them, and where they would go when that table does."""
    before: Table | None = None
    for table in _tables(document):
        if before is not None:
            body = before.value.body
            start = len(body)
            while start and body[start - 1][0] is None and not isinstance(body[start - 1][1], Whitespace):
                start -= 1
            if start and isinstance(body[start - 1][1], Whitespace):
                start -= 1
            table.trivia.indent = "".join(item.as_string() for _key, item in body[start:]) + table.trivia.indent
            del body[start:]
        before = table


def _tables(container: Any) -> Iterator[Table]:
    """All tables that have a heading, as they stand in the file."""
    for _key, item in container.body:
        for table in item.body if isinstance(item, AoT) else [item]:
            if isinstance(table, Table):
                if not table.is_super_table():
                    yield table
                yield from _tables(table.value)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One change at a time."""
    with contextlib.suppress(FileExistsError):  # a file, which is reported below
        folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, text: str) -> None:
    """Write the whole file at once; it holds secrets, so it is its owner's alone."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
