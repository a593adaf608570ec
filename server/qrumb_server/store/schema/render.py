"""The schema for servers, which need other statements than the files hold: above all a cluster.

In a cluster a table T of the files is two: `T_local`, replicated, holds a shard's rows; T itself is Distributed
over them. So every statement elsewhere, ours and a user's, means the whole by the plain name, also inside views;
only what changes parts or columns is led to the local tables, here. Rows are written through T as well: the
server splits a batch by the sharding key, and insert_distributed_sync makes it answer when every shard has its
rows. Writing to local tables directly would put the split into this program.

The sharding key keeps together what belongs together: a session's events, all versions of one session or
identity (rows are replaced only inside a shard), a segment's dead letters and its part of the ledger. An event
without a session goes by its own id, or all of a site's would be on one shard. Duplicates of one event carry the
same session, hence are on one shard; look-ups and views do not rely on it.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from types import MappingProxyType

from qrumb_server.store.schema.files import Migration

__all__ = ["Dialect", "cluster_dialect", "render", "single_dialect"]

Dialect = Callable[[str], tuple[str, ...]]
"""The statements that do what one statement of the schema files says; none, if there is nothing to do."""

_SHARDING_KEYS = MappingProxyType(
    {
        "valid_events": "cityHash64(site_id, if(scan_session_id = '', toString(event_id), scan_session_id))",
        "scan_sessions": "cityHash64(site_id, scan_session_id)",
        "identities": "cityHash64(site_id, kind, identifier)",
        "identity_links": "cityHash64(site_id, kind, identifier)",
        "erasures": "cityHash64(segment_id)",
        "invalid_events": "cityHash64(segment_id)",
        "ledger": "cityHash64(segment_id)",
        "hourly_counts": "cityHash64(site_id, hour_time)",
        "hourly_funnels": "cityHash64(site_id, hour_time)",
        "rolled_hours": "cityHash64(site_id, hour_time)",
        "changed_hours": "cityHash64(site_id, hour_time)",
        "waiting_sessions": "cityHash64(site_id, scan_session_id)",
        "user_scans": "cityHash64(site_id, scan_session_id)",
        "watchers": "cityHash64(watcher)",
    }
)

# Every host must know what was applied: one table over all shards, small, without a Distributed one above it.
_EVERYWHERE = "schema_migrations"

_DATABASE = re.compile(r"CREATE DATABASE IF NOT EXISTS events")
_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS events\.(\w+)\n")
_DROP_TABLE = re.compile(r"DROP TABLE IF EXISTS events\.(\w+)")
_ENGINE = re.compile(r"(?m)^ENGINE = (\w*MergeTree)(?:\(([^)\n]*)\))?")
_VIEW = re.compile(r"((?:CREATE|DROP) (?:OR REPLACE )?VIEW (?:IF (?:NOT )?EXISTS )?events\.\w+)")
_ALTER = re.compile(r"\s*ALTER\s+TABLE\s+events\.(\w+)(?=\s)", re.IGNORECASE)
# Of projections in pieces of another size than their table's, which of servers that are supported only the newest know;
# and of columns of parts that are there, which only the embedded database asks for.
_EMBEDDED_ALONE = re.compile(
    r"ALTER TABLE events\.\w+ (?:\w+ PROJECTION .*\bfine_event_id\b|DROP PROJECTION |MATERIALIZE COLUMN )"
)
_DELETE = re.compile(r"\s*DELETE\s+FROM\s+events\.(\w+)(?=\s)", re.IGNORECASE)
_COLUMN_CLAUSE = re.compile(r"\s+(?:ADD|MODIFY|DROP|RENAME) COLUMN\b", re.IGNORECASE)


def render(migrations: Iterable[Migration], dialect: Dialect) -> tuple[Migration, ...]:
    """The same migrations, by the same checksums, in other statements."""
    return tuple(
        replace(migration, statements=tuple(said for statement in migration.statements for said in dialect(statement)))
        for migration in migrations
    )


def single_dialect(statement: str) -> tuple[str, ...]:
    """The files as they are, less what is for the embedded database alone."""
    return () if _EMBEDDED_ALONE.match(statement) else (statement,)


def cluster_dialect(cluster: str) -> Dialect:
    """For the cluster of that name; replicas take their paths from the servers' macros {shard} and {replica}."""
    on_cluster = f"ON CLUSTER '{cluster}'"

    def dialect(statement: str) -> tuple[str, ...]:
        if _EMBEDDED_ALONE.match(statement):
            return ()
        if _DATABASE.match(statement):
            return (f"{statement} {on_cluster}",)
        if view := _VIEW.match(statement):
            return (f"{view.group(1)} {on_cluster}{statement[view.end() :]}",)
        if table := _TABLE.match(statement):
            return _tables(table.group(1), statement[table.end() :], cluster)
        if dropped := _DROP_TABLE.match(statement):
            names, rest = (f"events.{dropped.group(1)}", _local(dropped.group(1))), statement[dropped.end() :]
            return tuple(f"DROP TABLE IF EXISTS {name} {on_cluster}{rest}" for name in names)
        if altered := _ALTER.match(statement):
            table_name, clauses = altered.group(1), statement[altered.end() :]
            local = f"ALTER TABLE {_local(table_name)} {on_cluster}{clauses}"
            if table_name != _EVERYWHERE and _COLUMN_CLAUSE.match(clauses):
                return (local, f"ALTER TABLE events.{table_name} {on_cluster}{clauses}")
            return (local,)
        if deleted := _DELETE.match(statement):
            # Our own statement with another name in it.
            return (f"DELETE FROM {_local(deleted.group(1))} {on_cluster}{statement[deleted.end() :]}",)  # noqa: S608
        return (statement,)

    return dialect


def _tables(name: str, definition: str, cluster: str) -> tuple[str, ...]:
    is_everywhere = name == _EVERYWHERE
    path = f"/clickhouse/tables/events/{name}" if is_everywhere else f"/clickhouse/tables/{{shard}}/events/{name}"
    replica = "{shard}-{replica}" if is_everywhere else "{replica}"

    def replicated(engine: re.Match[str]) -> str:
        more = f", {engine.group(2)}" if engine.group(2) else ""
        return f"ENGINE = Replicated{engine.group(1)}('{path}', '{replica}'{more})"

    beginning = f"CREATE TABLE IF NOT EXISTS {_local(name)} ON CLUSTER '{cluster}'\n"
    local = beginning + _ENGINE.sub(replicated, definition)
    if is_everywhere:
        return (local,)
    distributed = (
        f"CREATE TABLE IF NOT EXISTS events.{name} ON CLUSTER '{cluster}' AS {_local(name)}\n"
        f"ENGINE = Distributed('{cluster}', events, {name}_local, {_SHARDING_KEYS[name]})"
    )
    return (local, distributed)


def _local(table: str) -> str:
    return f"events.{table}" if table == _EVERYWHERE else f"events.{table}_local"
