"""Two shards in one process: today's engine and the cluster's own statements; each shard sees the rows of its key.

Distributed tables take both shards for local ones. A filter on rows, which knows the shard that a part of a question
runs on, stands for what lies on the other machine. So statements are taken apart and put together as on a cluster, by
the settings that the store sends to one; the network between them is not here.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from chdb.session import Session

from qrumb_server.ports import TableBatch
from qrumb_server.store.native import decode_rows, encode_columns
from qrumb_server.store.schema.files import load_migrations, table_columns
from qrumb_server.store.schema.render import cluster_dialect, render
from qrumb_server.store.server import CLUSTER_SETTINGS
from qrumb_server.store.values import known_table, render_parameters, wire_type

__all__ = ["TwoShards", "for_one_process", "two_shards"]

_SHARD = "<shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard>"
# Of the port that is said to be its own, the engine takes a server for itself.
_CONFIG = """<clickhouse><tcp_port>9000</tcp_port><users_config>{folder}/users.xml</users_config>
<remote_servers><main>{shards}</main></remote_servers></clickhouse>"""
_USERS = """<clickhouse><profiles><default/></profiles><quotas><default/></quotas><users><default><password/>
<networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota><databases><events>{filters}</events>
</databases></default></users></clickhouse>"""
_FILTER = "<{table}><filter>{key} % 2 + 1 = shardNum()</filter></{table}>"
_KEY = re.compile(r"ENGINE = Distributed\('main', events, (\w+), (.+)\)$")


class TwoShards:
    """A store as questions and tests see it."""

    def __init__(self, session: Session, scratch: Path) -> None:
        self._session = session
        self._scratch = scratch
        self._numbers = count(1)
        self._types = table_columns(load_migrations())

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """As the port of the store says."""
        result = self._session.query(sql, "Native", params=dict(render_parameters(sql, parameters or {})))
        return decode_rows(bytes(result.bytes()))

    def insert(self, batch: TableBatch) -> None:
        """Through the table that splits rows among the shards."""
        types = known_table(self._types, batch.table)
        path = self._scratch / f"{next(self._numbers)}.bin"
        path.write_bytes(encode_columns(batch.columns, batch.data, types))
        columns = ", ".join(batch.columns)
        structure = ", ".join(f"{name} {wire_type(types[name])}" for name in batch.columns).replace("'", "\\'")
        self._session.query(
            f"INSERT INTO {batch.table} ({columns}) SELECT * FROM file('{path}', 'Native', '{structure}')"
        )

    def mutate(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """As the port of the store says, of a statement that inserts what it selects."""
        self._session.query(sql, params=dict(render_parameters(sql, parameters or {})))

    def rows_of_shards(self, table: str) -> list[int]:
        """How many rows each shard has."""
        rows = self.query(f"SELECT shardNum() AS shard, count() AS n FROM {table} GROUP BY shard ORDER BY shard")
        return [row["n"] for row in rows]


def for_one_process(statement: str) -> str:
    """Without ON CLUSTER and replication, which need servers and a ZooKeeper; Distributed tables stay."""
    plain = re.sub(r" ON CLUSTER '[^']*'", "", statement)
    return re.sub(r"Replicated(\w*MergeTree)\('[^']*', '[^']*'(?:, )?(\w*)\)", r"\1(\2)", plain)


@contextmanager
def two_shards(folder: Path) -> Iterator[TwoShards]:
    """With all tables and no rows. No other database may be open in this process."""
    migrations = render(load_migrations(), cluster_dialect("main"))
    statements = [for_one_process(said) for migration in migrations for said in migration.statements]
    keys = [found.groups() for said in statements if (found := _KEY.search(said))]
    filters = "".join(_FILTER.format(table=table, key=key) for table, key in keys)
    (folder / "config.xml").write_text(_CONFIG.format(folder=folder, shards=_SHARD * 2))
    (folder / "users.xml").write_text(_USERS.format(filters=filters))
    session: Any = Session(f"{folder}/data?config-file={folder}/config.xml")
    try:
        for said in statements:
            if not said.startswith("INSERT INTO "):  # of what the first schema held
                session.query(said)
        for name, value in CLUSTER_SETTINGS.items():
            session.query(f"SET {name} = '{value}'")
        yield TwoShards(session, folder)
    finally:
        session.close()
