"""`ports.EventStore` on a ClickHouse server or cluster, over the native protocol.

Nothing connects before the first call: a node starts, and takes events into its spool, while ClickHouse is away.
The first call that needs the tables brings the schema up to date and compares it, as the embedded store does when
it opens; until that has worked every such call raises what stood in the way.

Rows travel as one block per insert. A client cannot filter its rows on the server, so `insert_missing` asks which
are there and sends the rest. Between the two only this store could add any of them, because a segment belongs to
one node's loader; an insert of ours that is still at work behind a broken connection is waited for first. In a cluster
one replica may have rows that no other ever gets, see `_there`.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import compress
from typing import Any, Final

from qrumb_server.errors import OutcomeUnknownError, StoreError, StoreRefusedError, StoreUnavailableError
from qrumb_server.ports import Asking, TableBatch
from qrumb_server.store.connection import Host, Result, ServerConnection, ServerOptions, StatementError
from qrumb_server.store.errors import (
    CANCELLED,
    FORGET_DONE_MUTATIONS,
    KILL_FAILED_MUTATIONS,
    MUTATION_FAILED,
    READ_ONLY,
    STALE_REPLICAS,
    insert_error,
    query_error,
)
from qrumb_server.store.export import ONLY_READS, render_result
from qrumb_server.store.pool import ConnectionPool
from qrumb_server.store.proof import Proof, by_table
from qrumb_server.store.schema.files import Migration, load_migrations, table_columns
from qrumb_server.store.schema.migrations import apply_migrations, check_drift, pending_migrations
from qrumb_server.store.schema.render import Dialect, cluster_dialect, render, single_dialect
from qrumb_server.store.values import check_columns, key_settings, known_table, limit_settings, render_parameters

__all__ = ["CLUSTER_SETTINGS", "ServerStore"]

# async_insert is the server's default and would answer before the rows are durable. On a plain MergeTree nothing
# must be deduplicated by content; a NULL must not turn into a default in silence.
_INSERT_SETTINGS = {"async_insert": 0, "insert_deduplicate": 0, "insert_null_as_default": 0}

# In a cluster a look-up may meet a replica that lags. There the tables are replicated, and an equal block of the
# last days is recognised by its hash before it is written. The insert returns when every shard has its rows.
_CLUSTER_INSERT_SETTINGS = _INSERT_SETTINGS | {"insert_deduplicate": 1, "insert_distributed_sync": 1}

# 60 s is longer than any caller waits. readonly: by setting, not by good will.
_QUERY_SETTINGS = {"max_execution_time": 60, "readonly": 1}
_EXPORT_SETTINGS = {"readonly": 1}

# A view joins tables that span all shards: the side that is joined is read once, and sent to every shard.
CLUSTER_SETTINGS: Final[Mapping[str, int | str]] = {"distributed_product_mode": "global"}

# Only by replicas that have fetched all that was inserted until a second ago; if a shard has none, by no replica.
_COMPLETE_QUERY_SETTINGS = {
    "max_replica_delay_for_distributed_queries": 1,
    "fallback_to_stale_replicas_for_distributed_queries": 0,
} | _QUERY_SETTINGS

# Each host that runs the statement waits until it has reached all of its own parts.
_MUTATION_SETTINGS = {"mutations_sync": 1, "lightweight_deletes_sync": 1}
# It says nothing until then; a host that dies meanwhile is noticed by its silence in TCP.
_MUTATION_TIMEOUT = timedelta(minutes=10)

# ON CLUSTER waits up to 180 s for the last host, in silence.
_CLUSTER_SCHEMA_TIMEOUT = timedelta(minutes=4)

# After a break: a server that was frozen first reads what it had received, then registers it, within moments.
_SETTLE_SECONDS = 1.0
_RUNNING_POLL_SECONDS = 0.2
# How long a replica may take to fetch what was inserted, before its rows count as missing.
_FETCH_SECONDS = 5.0
_DISAGREE = (
    "replicas do not agree on whether an earlier insert is stored; one that lost its keeper in the middle of it has "
    "rows that no other gets, and lets go of them after some minutes"
)


class ServerStore:
    """Every method may be called from any thread; each has a connection of its own meanwhile."""

    def __init__(
        self,
        options: ServerOptions,
        *,
        connect: Callable[[Host, ServerOptions], ServerConnection] = ServerConnection,
        dialect: Dialect | None = None,
    ) -> None:
        """`connect` and `dialect` are for servers that speak another SQL than the schema files."""
        self._options = options
        self._pool = ConnectionPool(options, connect)
        self._dialect = dialect or (cluster_dialect(options.cluster) if options.cluster else single_dialect)
        self._migrations = render(load_migrations(), self._dialect)
        self._types = table_columns(self._migrations)
        self._insert_settings = _CLUSTER_INSERT_SETTINGS if options.cluster else _INSERT_SETTINGS
        self._always: Mapping[str, int | str] = CLUSTER_SETTINGS if options.cluster else {}
        self._preparing = threading.Lock()
        self._is_prepared = False
        # True at first: a predecessor may have been killed in the middle of an insert.
        self._broke = True
        # The batch that was sent whole last.
        self._sent: TableBatch | None = None

    def pending(self) -> list[Migration]:
        """Migrations that the database has not seen yet, as they would be run.

        Raises:
            StoreUnavailableError: no server answers.
            StoreRefusedError: the database is newer than this program, or an applied file has changed.
        """
        return pending_migrations(self._migrations, self._schema_database())

    def migrate(self) -> list[Migration]:
        """Apply what is pending and compare the tables; safe while other nodes do the same.

        Raises:
            StoreUnavailableError: no server answers; may be repeated.
            StoreRefusedError: as `pending`, or the tables differ; names every difference.
        """
        applied = apply_migrations(self._migrations, self._schema_database())
        check_drift(self._migrations, self._schema_database())
        return applied

    def insert(self, batch: TableBatch) -> None:
        """See `ports.EventStore.insert`. `batch.table` is qualified, as "events.valid_events"."""
        self._check(batch)
        if batch.row_count:
            self._prepare()
            self._sent = batch
            self._insert(batch)

    def insert_missing(self, batch: TableBatch) -> None:
        """See `ports.EventStore.insert_missing`."""
        self._check(batch)
        if not batch.row_count:
            return
        self._prepare()
        self._wait_for_running_inserts(batch.table)
        is_own = batch is self._sent
        missing = self._missing(batch, is_own=is_own)
        if self._options.cluster is not None and is_own:
            # All who say that it is there may have asked one replica. An equal block is recognised where it counts.
            missing = batch
        if missing.row_count:
            self._insert(missing)
        self._broke = False

    def query(
        self, sql: str, parameters: Mapping[str, Any] | None = None, asking: Asking | None = None
    ) -> list[dict[str, Any]]:
        """Rows of one reading statement; values as in `native.decode_rows`, parameters as in `values`.

        Raises:
            StoreUnavailableError: may succeed later.
            StoreRefusedError: the statement is wrong, or would write.
        """
        rendered = render_parameters(sql, parameters or {})
        self._prepare()
        if asking is None:
            return self._execute(sql, rendered, {**key_settings(sql), **_QUERY_SETTINGS}).rows()
        return self._ask(sql, rendered, asking).rows()

    def confirm(self, batches: Sequence[TableBatch]) -> None:
        """See `ports.EventStore.confirm`.

        Whether every file of a part is whole is the server's own affair; here its rows are read again. In a cluster
        only replicas that have fetched everything are asked. Where a shard has none, since its other replica died with
        what this one still has to fetch, the shard's own acknowledgement of the insert is believed.
        """
        self._prepare()
        for proof in by_table(batches):
            if missing := self._lacking(proof) if self._options.cluster is None else self._lacking_in_cluster(proof):
                raise OutcomeUnknownError(f"{missing} of {proof.row_count} rows of {proof.table} cannot be read back")

    def prove_again(self) -> None:
        """See `ports.EventStore.prove_again`. A server looks after its own disk."""

    def mutate(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """See `ports.EventStore.mutate`. In a cluster it runs on every shard."""
        rendered = render_parameters(sql, parameters or {})
        self._prepare()
        for statement in self._dialect(sql):
            try:
                self._execute(statement, rendered, _MUTATION_SETTINGS, timeout=_MUTATION_TIMEOUT)
            except StoreError as error:
                if error.code == MUTATION_FAILED:
                    self._execute(KILL_FAILED_MUTATIONS, {}, {}, timeout=_MUTATION_TIMEOUT)
                raise
        if self._options.cluster is None:  # there a replica that is behind would lose what it has still to do
            # A server that does not know the statement, or does not grant it, forgets by age.
            with contextlib.suppress(StoreRefusedError):
                self._execute(FORGET_DONE_MUTATIONS, {}, {}, timeout=_MUTATION_TIMEOUT)

    def export(self, sql: str, output_format: str) -> Iterator[bytes]:
        """The result of one SELECT, SHOW or DESCRIBE; touches no schema, so that a reader's rights suffice.

        The formats are those of `export.py`: the native protocol itself knows none.

        Raises:
            StoreUnavailableError: may succeed later.
            StoreRefusedError: the statement is wrong or would write, or no such format.
        """
        try:
            result = self._execute(sql.strip().removesuffix(";"), {}, _EXPORT_SETTINGS)
        except StoreRefusedError as error:
            if error.code == READ_ONLY:
                raise StoreRefusedError(f"{ONLY_READS}; nothing was done ({error})", error.code) from error
            raise
        return render_result(result, output_format)

    def close(self) -> None:
        """Statements that run may end; their connections are closed then. Safe to call twice."""
        self._pool.close()

    def _prepare(self) -> None:
        if self._is_prepared:
            return
        with self._preparing:
            if not self._is_prepared:
                self.migrate()
                self._is_prepared = True

    def _check(self, batch: TableBatch) -> None:
        check_columns(batch.columns, batch.data, known_table(self._types, batch.table))

    def _insert(self, batch: TableBatch) -> None:
        # Names come from the schema files, see `_check`; values travel as a block.
        sql = f"INSERT INTO {batch.table} ({', '.join(batch.columns)}) VALUES"
        try:
            self._pool.run(lambda connection: connection.insert(sql, batch.data, self._insert_settings))
        except StatementError as error:
            if error.code is None:
                self._broke = True
            # In a cluster one shard may have its rows when another refuses, whatever its reason.
            if error.code is None or self._options.cluster is not None:
                raise OutcomeUnknownError(str(error), error.code or 0) from None
            raise insert_error(error.code, str(error)) from None

    def _lacking(self, proof: Proof, settings: Mapping[str, int] = _QUERY_SETTINGS) -> int:
        sql = proof.sql()
        return proof.missing(self._execute(sql, render_parameters(sql, proof.parameters()), settings).columns)

    def _lacking_in_cluster(self, proof: Proof) -> int:
        deadline = time.monotonic() + _FETCH_SECONDS
        while True:
            try:
                missing = self._lacking(proof, _COMPLETE_QUERY_SETTINGS)
            except StoreError as error:
                if error.code == STALE_REPLICAS:
                    return 0
                raise
            # A replica counts as complete for a second after it fell behind.
            if not missing or time.monotonic() > deadline:
                return missing
            time.sleep(_RUNNING_POLL_SECONDS)

    def _missing(self, batch: TableBatch, *, is_own: bool) -> TableBatch:
        columns = list(batch.columns)
        segments, rows = (batch.data[columns.index(name)] for name in ("segment_id", "segment_row"))
        # The table's name was checked against the schema files.
        sql = (
            "SELECT segment_id, segment_row "  # noqa: S608
            f"FROM {batch.table} WHERE segment_id IN {{segments:Array(String)}}"
        )
        there = self._there(sql, render_parameters(sql, {"segments": sorted(set(segments))}), is_own=is_own)
        wanted = [place not in there for place in zip(segments, rows, strict=True)]
        return TableBatch(
            table=batch.table, columns=columns, data=[list(compress(values, wanted)) for values in batch.data]
        )

    def _there(self, sql: str, rendered: Mapping[str, str], *, is_own: bool) -> set[tuple[Any, ...]]:
        """The rows that are stored, as every host of a cluster says that answers for complete replicas.

        An insert that lost the keeper in its middle stays with its replica, and no other gets it: after some minutes
        the replica lets go of it. Until then each host answers by its own replica, and they disagree.

        Where none answers for complete ones: nothing, if the very block was sent just now, since it is recognised when
        it comes again. What a predecessor sent was other blocks: rows come in another batch after a restart.
        """
        if self._options.cluster is None:
            return set(zip(*self._execute(sql, rendered, _QUERY_SETTINGS).columns, strict=True))
        answers: list[set[tuple[Any, ...]]] = []
        failure: StoreUnavailableError | None = None
        for host in self._pool.answering():
            try:
                result = self._execute(sql, rendered, _COMPLETE_QUERY_SETTINGS, host=host)
            except StoreUnavailableError as error:
                failure = error
            else:
                answers.append(set(zip(*result.columns, strict=True)))
        if any(answer != answers[0] for answer in answers):
            raise StoreUnavailableError(_DISAGREE)
        if failure is not None and not answers and not is_own:
            raise failure
        return answers[0] if answers else set()

    def _wait_for_running_inserts(self, table: str) -> None:
        """Until none is at work that began before now: it may bring rows that a look-up would not see yet."""
        if self._broke:
            # The server must have been reached before the pause, or it was frozen during the pause as well.
            self._execute("SELECT 1", {}, _QUERY_SETTINGS)
            time.sleep(_SETTLE_SECONDS)
        deadline = time.monotonic() + self._options.reply_timeout.total_seconds()
        waited_for = self._running_inserts(table)
        while waited_for:
            if time.monotonic() > deadline:
                raise StoreUnavailableError("an earlier insert is still at work on the server")
            time.sleep(_RUNNING_POLL_SECONDS)
            waited_for &= self._running_inserts(table)

    def _running_inserts(self, table: str) -> set[str]:
        sql = "SELECT query_id FROM system.processes WHERE startsWith(query, {beginning:String})"
        rendered = render_parameters(sql, {"beginning": f"INSERT INTO {table} "})
        return {row["query_id"] for row in self._execute(sql, rendered, _QUERY_SETTINGS).rows()}

    def _execute(
        self,
        sql: str,
        rendered: Mapping[str, str],
        settings: Mapping[str, int],
        timeout: timedelta | None = None,
        host: Host | None = None,
    ) -> Result:
        every: dict[str, int | str] = {**self._always, **settings}
        try:
            return self._pool.run(
                lambda connection: connection.execute(sql, parameters=rendered, settings=every, timeout=timeout), host
            )
        except StatementError as error:
            raise _statement_error(error) from None

    def _ask(self, sql: str, rendered: Mapping[str, str], asking: Asking) -> Result:
        """Within its limits, for as long as its caller is there."""
        by_key = key_settings(sql)
        settings: dict[str, int | str] = {**self._always, **by_key, **limit_settings(asking.limits), **by_key}

        def ask(connection: ServerConnection) -> Result:
            with asking.statement(connection.break_off) as wanted:
                if not wanted:
                    raise StatementError("the caller has left", CANCELLED)
                result = connection.execute(sql, parameters=rendered, settings=settings)
            if connection.is_broken_off:  # when it had its result already: the next statement must not be ended by it
                raise StatementError("the caller has left", CANCELLED)
            return result

        try:
            return self._pool.run(ask)
        except StatementError as error:
            raise _statement_error(error) from None

    def _schema_database(self) -> "_SchemaDatabase":
        return _SchemaDatabase(self._execute, _CLUSTER_SCHEMA_TIMEOUT if self._options.cluster else None)


class _SchemaDatabase:
    """The server as migrations and the drift check see it."""

    def __init__(self, execute: Callable[..., Result], timeout: timedelta | None) -> None:
        self._execute = execute
        self._timeout = timeout

    def execute(self, sql: str) -> None:
        self._execute(sql, {}, {"async_insert": 0}, timeout=self._timeout)

    def query(self, sql: str) -> Sequence[dict[str, Any]]:
        return self._execute(sql, {}, {}).rows()


def _statement_error(error: StatementError) -> StoreError:
    return StoreUnavailableError(str(error)) if error.code is None else query_error(error.code, str(error))
