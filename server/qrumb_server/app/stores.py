"""The ClickHouse that the settings name."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from qrumb_server.config import ClickHouseSettings, Settings
from qrumb_server.ports import EventStore, SetAside
from qrumb_server.store.backup import check_files, restore_files
from qrumb_server.store.connection import ServerOptions
from qrumb_server.store.embedded import EmbeddedStore
from qrumb_server.store.schema.files import Migration, load_migrations
from qrumb_server.store.schema.render import cluster_dialect, render, single_dialect
from qrumb_server.store.server import ServerStore
from qrumb_server.supervise.surroundings import LOCK_TIMEOUT
from qrumb_server.upkeep.backup import SITES

__all__ = [
    "grants",
    "migrate_store",
    "open_store",
    "restore_store",
    "schema_of",
    "server_options",
]


def open_store(settings: Settings, report: Callable[[SetAside], None] = lambda _found: None) -> EventStore:
    """Open the ClickHouse that the settings name; migrated and checked, a server at its first use.

    `report` is told of parts of the embedded one that could not be read.

    Raises:
        ConfigError: it is in use.
        StoreRefusedError: its tables are not ours.
    """
    if settings.clickhouse.url is not None:
        return ServerStore(server_options(settings.clickhouse))
    return EmbeddedStore.open(
        settings.clickhouse_dir,
        lock_timeout=LOCK_TIMEOUT,
        report=report,
        min_free_bytes=settings.loader_min_free_bytes,
        questions=settings.queries.max_concurrent,
    )


def migrate_store(settings: Settings, *, is_dry_run: bool) -> Sequence[Migration]:
    """Bring the schema of the ClickHouse that the settings name up to date, or say what that would do.

    What is pending is returned; if nothing is, the tables are compared in a dry run as well.

    Raises:
        ConfigError: the embedded one is in use.
        StoreError: it cannot be done; names every difference.
    """
    if settings.clickhouse.url is None:
        pending = EmbeddedStore.pending(settings.clickhouse_dir)
        if not is_dry_run or not pending:
            EmbeddedStore.open(settings.clickhouse_dir).close()
        return pending
    with contextlib.closing(ServerStore(server_options(settings.clickhouse))) as store:
        pending = store.pending()
        return pending if is_dry_run and pending else store.migrate()


def schema_of(clickhouse: ClickHouseSettings) -> Sequence[Migration]:
    """All migrations in the statements for that ClickHouse, whether it has them or not."""
    dialect = cluster_dialect(clickhouse.cluster) if clickhouse.cluster else single_dialect
    return render(load_migrations(), dialect)


def grants(clickhouse: ClickHouseSettings, reader: str) -> Sequence[str]:
    """Statements that make a user who reads the database and changes nothing. The password is yours to choose."""
    everywhere = f" ON CLUSTER '{clickhouse.cluster}'" if clickhouse.cluster else ""
    return (
        # 2: a tool may bound its own statements, and set nothing else.
        f"CREATE USER IF NOT EXISTS {reader}{everywhere} IDENTIFIED BY 'choose a password' SETTINGS readonly = 2",
        f"GRANT{everywhere} SELECT ON events.* TO {reader}",
    )


def restore_store(settings: Settings, source: Path) -> Mapping[str, int]:
    """Bring a backup into the data folder of the settings, sites and keys included; returns rows by table.

    Raises:
        ConfigError: there is no backup, or the folder has data or is in use.
        StoreError: it cannot be restored.
    """
    targets = check_files(source, {SITES: settings.sites_path}, settings.data_dir)
    counts = EmbeddedStore.restore(settings.clickhouse_dir, source)
    restore_files(source, targets)
    return counts


def server_options(clickhouse: ClickHouseSettings) -> ServerOptions:
    """How to reach the server. Raises ConfigError where its password cannot be read."""
    return ServerOptions(
        hosts=clickhouse.hosts,
        user=clickhouse.user,
        password=clickhouse.read_password(),
        secure=clickhouse.is_secure,
        ca_file=clickhouse.ca_file,
        compression=None if clickhouse.compression == "none" else clickhouse.compression,
        connect_timeout=clickhouse.connect_timeout,
        reply_timeout=clickhouse.reply_timeout,
        ping_timeout=clickhouse.ping_timeout,
        cluster=clickhouse.cluster,
    )
