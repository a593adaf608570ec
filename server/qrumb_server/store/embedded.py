"""`ports.EventStore` on a ClickHouse inside this process: chdb, its data in a folder.

One process owns the folder, one session writes, a few others read; the readers are read-only by setting, not
by good will. A batch travels as a Native file in a scratch folder, read by the insert itself: the one way
that carries binary values of any size and raises when it fails.

The engine's word that rows are stored is not enough on a full disk: `parts` says what it is worth, and how a part that
cannot be read is set aside by the first statement that meets it.
"""

import errno
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, Self

from qrumb_server.errors import (
    ConfigError,
    OutcomeUnknownError,
    StoreError,
    StoreRefusedError,
    StoreUnavailableError,
)
from qrumb_server.ports import Asking, SetAside, TableBatch
from qrumb_server.store.backup import restore_backup, write_backup
from qrumb_server.store.engine import EngineError, EngineSession, Statements, as_query_error
from qrumb_server.store.errors import (
    DAMAGED,
    FORGET_DONE_MUTATIONS,
    KILL_FAILED_MUTATIONS,
    MUTATION_FAILED,
    error_code,
    insert_error,
)
from qrumb_server.store.export import check_reading
from qrumb_server.store.folder import check_free_bytes, clean_scratch, prepare_folder, wait_for_lock
from qrumb_server.store.native import decode_columns, decode_rows, encode_columns
from qrumb_server.store.outfile import pieces_of, whole_result
from qrumb_server.store.parts import Part, PartBrokenError, PartKeeper, detached_parts
from qrumb_server.store.proof import Proof, by_table
from qrumb_server.store.readers import Readers
from qrumb_server.store.schema.files import Migration, load_migrations, table_columns
from qrumb_server.store.schema.migrations import apply_migrations, check_drift, pending_migrations
from qrumb_server.store.seen import Seen
from qrumb_server.store.values import known_table, render_parameters, wire_type
from qrumb_server.store.written import VALID_EVENTS, Written

__all__ = ["EmbeddedStore"]

# The engine's own numbers, for what fails before it is asked.
NOT_ENOUGH_SPACE = 243
CANNOT_OPEN_FILE = 76

# A session runs one statement at a time; as many as the loader's process has threads beside those that answer
# questions, so that a slow chart does not hold up the loader's look-ups.
_READERS = 7

# Since the last insert. A worker that is sent events seals, and the loader inserts, twice a second.
_LOADING_SECONDS = 2.0

# async_insert is the engine's default and would answer before the rows are durable. One insert thread and no
# second squashing keep a batch one block, hence one part per partition. A NULL must not turn into a default
# in silence.
_WRITER_SETTINGS = {
    "async_insert": 0,
    "insert_deduplicate": 0,
    "max_insert_threads": 1,
    "insert_null_as_default": 0,
}

_EXPORT_SETTINGS = {"readonly": 1}

# A cache would answer for what is no longer on the disk.
_PROOF_SETTINGS = {"max_threads": 1, "use_query_condition_cache": 0, "compile_expressions": 0}

# Return only when the statement has reached every part, those being merged included.
_MUTATION_SETTINGS = {"mutations_sync": 2, "lightweight_deletes_sync": 2}


class EmbeddedStore:
    """Open with `EmbeddedStore.open`. Every method may be called from any thread; inserts wait for each other."""

    def __init__(
        self,
        folder: Path,
        writer: EngineSession,
        types: Mapping[str, Mapping[str, str]],
        report: Callable[[SetAside], None],
        min_free_bytes: int,
        detached_before: Set[Path],
        questions: int,
    ) -> None:
        """For `open`; `types` is column type by column by table."""
        self._min_free_bytes = min_free_bytes
        self._folder = folder
        self._types = types
        self._scratch = clean_scratch(folder)
        self._scratch_numbers = count(1)
        self._writer = writer
        self._writing = threading.RLock()
        self._inserted = float("-inf")
        self._readers = Readers(folder, _READERS + questions, self._is_loading)
        self._closed = False
        self._prover = EngineSession(folder, _PROOF_SETTINGS)
        self.written = Written()
        """Of events.valid_events. The engine's own end of rows, after 400 days, does not count."""
        self.seen = Seen(self.query)
        self._report = report
        self._parts = PartKeeper(Statements(self._prover).query, self._set_aside, detached_before)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        lock_timeout: timedelta = timedelta(seconds=10),
        report: Callable[[SetAside], None] = lambda _found: None,
        min_free_bytes: int = 0,
        questions: int = 1,
    ) -> Self:
        """Open or make the database in `folder`, bring its schema up to date, and compare the two.

        Waits up to `lock_timeout` for another process to let go of the folder. No fork after this. `report` is told of
        parts that were set aside. Nothing is inserted while fewer than `min_free_bytes` are free on the disk: merges
        and mutations go on and need them. So many `questions` may be asked at once, see `query`.

        Raises:
            ConfigError: the folder cannot be used, or is in use; says by which process.
            StoreRefusedError: the schema in it is not ours; names every difference.
        """
        detached_before = detached_parts(folder.absolute())
        writer = _open_writer(folder, lock_timeout)
        migrations = load_migrations()
        try:
            apply_migrations(migrations, Statements(writer))
            check_drift(migrations, Statements(writer))
            Statements(writer).execute(FORGET_DONE_MUTATIONS)  # those after which the process was killed
            types = table_columns(migrations)
            return cls(folder.absolute(), writer, types, report, min_free_bytes, detached_before, questions)
        except BaseException:
            writer.close()
            raise

    @staticmethod
    def pending(folder: Path, *, lock_timeout: timedelta = timedelta(0)) -> list[Migration]:
        """Migrations that the database in `folder` has not seen; all of them where there is none. Changes nothing.

        Raises:
            As `open`.
        """
        if not folder.is_dir():
            return list(load_migrations())
        writer = _open_writer(folder, lock_timeout)
        try:
            return pending_migrations(load_migrations(), Statements(writer))
        finally:
            writer.close()

    @staticmethod
    def restore(folder: Path, source: Path) -> Mapping[str, int]:
        """Bring a backup into `folder`, which has no database yet, and its schema up to date; returns rows by table.

        Raises:
            As `open`, and as `backup.restore_backup`; a folder that was not there before is gone again.
        """
        was_there = folder.exists()
        try:
            writer = _open_writer(folder, timedelta(0))
            try:
                counts = restore_backup(writer, source)
            finally:
                writer.close()
            EmbeddedStore.open(folder).close()
        except BaseException:
            if not was_there:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        return counts

    def insert(self, batch: TableBatch) -> None:
        """See `ports.EventStore.insert`. `batch.table` is qualified, as "events.valid_events"."""
        self._insert(batch, "", {})

    def insert_missing(self, batch: TableBatch) -> None:
        """See `ports.EventStore.insert_missing`. Costs one look-up by segment_id more than `insert`."""
        segments = sorted(set(batch.data[list(batch.columns).index("segment_id")]))
        # The table's name is checked against the schema files before this runs.
        condition = (
            "WHERE (segment_id, segment_row) NOT IN (SELECT segment_id, segment_row "  # noqa: S608
            f"FROM {batch.table} WHERE segment_id IN {{segments:Array(String)}})"
        )
        self._insert(batch, condition, {"segments": segments})

    def query(
        self, sql: str, parameters: Mapping[str, Any] | None = None, asking: Asking | None = None
    ) -> list[dict[str, Any]]:
        """Rows of one reading statement; values as in `native.decode_rows`, parameters as in `values`.

        Raises:
            StoreUnavailableError: may succeed later.
            StoreRefusedError: the statement is wrong, or would write.
        """
        rendered = render_parameters(sql, parameters or {})
        with self._healing():
            if asking is not None:
                return decode_rows(self._readers.ask(sql, rendered, asking))
            return decode_rows(self._readers.run(sql, rendered))

    def confirm(self, batches: Sequence[TableBatch]) -> None:
        """See `ports.EventStore.confirm`. What is new on the disk is checked whole, then the rows are looked for."""
        with self._healing(), self._writing:
            try:
                new = self._parts.prove_new()
            except PartBrokenError as error:
                raise OutcomeUnknownError(str(error)) from None
            for proof in by_table(batches):
                # Rows that an earlier try stored are in older parts.
                if not self._is_complete(proof, new) and (missing := self._missing(proof)):
                    raise OutcomeUnknownError(
                        f"{missing} of {proof.row_count} rows of {proof.table} cannot be read back"
                    )

    def prove_parts(self) -> None:
        """Prove the parts that merges and mutations made since the last call; to be called every few seconds.

        Raises:
            StoreError: it cannot be said now.
        """
        with self._readers.own_session({}) as session:
            self._parts.prove_all(Statements(session).query)

    def prove_again(self) -> None:
        """See `ports.EventStore.prove_again`. What cannot be read is set aside, and `report` is told."""
        with self._readers.own_session({}) as session:
            self._parts.prove_again(Statements(session).query)

    def mutate(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """See `ports.EventStore.mutate`. Inserts go on meanwhile; rows that arrive after its start are not touched."""
        rendered = render_parameters(sql, parameters or {})
        changing = self.written.writing() if VALID_EVENTS in sql else nullcontext()
        with changing, self._readers.own_session(_MUTATION_SETTINGS) as session, as_query_error():
            try:
                session.run(sql, rendered)
            except EngineError as error:
                if error_code(str(error)) == MUTATION_FAILED:
                    session.run(KILL_FAILED_MUTATIONS)
                raise
            # Where a part that the statement wrote is torn, the part before it counts again.
            if not self._parts.prove_all(Statements(session).query):
                raise StoreUnavailableError("what the statement wrote cannot be read: run it again")
            session.run(FORGET_DONE_MUTATIONS)

    def export(self, sql: str, output_format: str) -> Iterator[bytes]:
        """The whole result of one SELECT, SHOW or DESCRIBE in `output_format`, in pieces of at most 1 MiB.

        The result is complete before the first piece: the engine's own stream repeats headers and footers for each
        piece, and an error in its middle would leave a torn file.

        Raises:
            StoreUnavailableError: may succeed later.
            StoreRefusedError: not one reading statement, or no such format.
        """
        if not output_format.isalnum():
            raise StoreRefusedError("a format is one word")
        with self._readers.own_session(_EXPORT_SETTINGS) as session, as_query_error():
            check_reading(session.parse(sql))
            statement = sql.strip().removesuffix(";")
            result = whole_result(
                lambda path: session.run(
                    f"{statement}\nINTO OUTFILE '{path}' TRUNCATE COMPRESSION 'none' FORMAT {output_format}"
                ),
                self._scratch,
            )
        return pieces_of(result)

    def backup(self, target: Path, files: Mapping[str, Path]) -> Mapping[str, int]:
        """Copy the database into the folder `target`, new or empty; returns rows by table. Inserts must wait meanwhile.

        Args:
            files: what else is copied, see `backup.write_backup`.

        Raises:
            ConfigError: the folder cannot be used.
            StoreError: the copy failed.
        """
        with self._readers.own_session({}) as session:
            return write_backup(session, target, files)

    def close(self) -> None:
        """Waits for the statements that are running, then lets go of the folder. Safe to call twice."""
        with self._writing:
            if self._closed:
                return
            self._closed = True
            self._readers.close()
            for session in (self._prover, self._writer):
                session.close()

    def _insert(self, batch: TableBatch, condition: str, parameters: Mapping[str, Any]) -> None:
        types = known_table(self._types, batch.table)
        native = batch.native() if batch.native else encode_columns(batch.columns, batch.data, types)
        if batch.row_count == 0:
            return
        columns = ", ".join(batch.columns)
        structure = ", ".join(f"{name} {wire_type(types[name])}" for name in batch.columns).replace("'", "\\'")
        check_free_bytes(self._folder, self._min_free_bytes)
        of_events = batch.table == VALID_EVENTS
        sites = set(batch.data[list(batch.columns).index("site_id")]) if of_events else ()
        self.seen.add(batch)
        # Of rows that may be there already it is not known which were.
        writing = self.written.writing(sites, native if of_events and not condition else None)
        with self._healing(), self._writing, writing, self._transfer_file(native) as path:
            self._parts.attach()
            self._inserted = time.monotonic()
            # Names come from the schema files and the path from `prepare_folder`; values travel in the file.
            sql = (
                f"INSERT INTO {batch.table} ({columns}) "  # noqa: S608
                f"SELECT {columns} FROM file('{path}', 'Native', '{structure}') {condition}"
            )
            try:
                self._writer.run(sql, render_parameters(condition, parameters))
            except EngineError as error:
                raise insert_error(error_code(str(error)), str(error)) from None

    def _is_loading(self) -> bool:
        return time.monotonic() - self._inserted < _LOADING_SECONDS

    def _is_complete(self, proof: Proof, new: Sequence[Part]) -> bool:
        """Whether the new parts, which are proved, hold the wanted rows and nothing else: the usual case."""
        parts = [part for part in new if part.table == proof.table]
        if not parts or sum(part.row_count() for part in parts) != proof.row_count:
            return False
        if not proof.has_digest:
            return True
        sql = proof.digest_sql(f"_part IN ({', '.join(repr(part.name) for part in parts)})")
        [answer] = Statements(self._prover).query(sql)
        return bool(answer["digest"] == proof.digest())

    def _missing(self, proof: Proof) -> int:
        if not self._parts.prove_all():
            return proof.row_count
        sql = proof.sql()
        with as_query_error():
            native = self._prover.run(sql, render_parameters(sql, proof.parameters()))
        return proof.missing(decode_columns(native))

    def _set_aside(self, found: SetAside) -> None:
        with self.written.writing():
            self._report(found)

    @contextmanager
    def _healing(self) -> Iterator[None]:
        """Set aside a part that a statement could not read; the caller gets the error and may try again."""
        try:
            yield
        except StoreError as error:
            if error.code in DAMAGED:
                self._parts.heal(str(error))
            raise

    @contextmanager
    def _transfer_file(self, native: bytes | bytearray) -> Iterator[Path]:
        if self._closed:
            raise StoreUnavailableError("the store is closed")
        path = self._scratch_file()
        try:
            try:
                path.write_bytes(native)
            except OSError as error:
                code = NOT_ENOUGH_SPACE if error.errno in {errno.ENOSPC, errno.EDQUOT} else CANNOT_OPEN_FILE
                raise StoreUnavailableError(f"no transfer file: {error.strerror}", code) from error
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _scratch_file(self) -> Path:
        return self._scratch / f"{next(self._scratch_numbers)}.bin"


def _open_writer(folder: Path, lock_timeout: timedelta) -> EngineSession:
    absolute = prepare_folder(folder)
    wait_for_lock(absolute, lock_timeout)
    try:
        return EngineSession(absolute, _WRITER_SETTINGS)
    except EngineError as error:
        raise ConfigError(
            f"data folder {absolute} cannot be opened (one process opens one folder at a time): {error}"
        ) from None
