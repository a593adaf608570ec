"""Debian's clickhouse-server (18.16) for tests: a real server on real sockets, in a folder of its own.

It is too old for qrumb's schema and for parameters on the wire, so tests give the store a reduced dialect and a
connection that writes parameters into the statement. What it is good for: kill -9, SIGSTOP, rights, real replies.
"""

import contextlib
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from qrumb_server.store.connection import Result, ServerConnection, ServerOptions, StatementError
from qrumb_server.store.server import ServerStore
from tests.support.patience import patient
from tests.support.ports import claimed_port
from tests.support.server_options import options_for
from tests.support.tied import TIED

__all__ = ["BINARY", "OldConnection", "OldServer", "old_dialect", "old_store", "running_server"]

BINARY = shutil.which("clickhouse-server", path="/usr/bin:/usr/sbin")

CONFIG = """<?xml version="1.0"?>
<yandex>
    <logger><level>warning</level><log>{folder}/server.log</log><errorlog>{folder}/error.log</errorlog></logger>
    <tcp_port>{port}</tcp_port>
    <listen_host>127.0.0.1</listen_host>
    <path>{folder}/data/</path>
    <tmp_path>{folder}/tmp/</tmp_path>
    <user_files_path>{folder}/files/</user_files_path>
    <users_config>{folder}/users.xml</users_config>
    <default_profile>default</default_profile>
    <default_database>default</default_database>
    <mark_cache_size>5368709</mark_cache_size>
    {more}
</yandex>
"""
USERS = """<?xml version="1.0"?>
<yandex>
    <profiles>
        <default>
            <max_memory_usage>1000000000</max_memory_usage>
            <max_query_size>{longest}</max_query_size>
            <distributed_ddl_task_timeout>60</distributed_ddl_task_timeout>
        </default>
        <reading><readonly>2</readonly></reading>
    </profiles>
    <quotas><default></default></quotas>
    <users>{users}</users>
</yandex>
"""
USER = """
        <{name}><password>{password}</password><networks><ip>127.0.0.1</ip></networks>
            <profile>{profile}</profile><quota>default</quota></{name}>"""
# name: password, profile
ACCOUNTS = {"default": ("", "default"), "writer": ("secret:/@#", "default"), "reader": ("", "reading")}

COLUMN_EXISTS = 44
KNOWN_SETTINGS = {
    "readonly",
    "max_execution_time",
    "max_replica_delay_for_distributed_queries",
    "fallback_to_stale_replicas_for_distributed_queries",
}
# Parameters that would travel beside the statement are a part of it here.
LONGEST_STATEMENT = 16 * 1024 * 1024

_CODEC = re.compile(r" CODEC\((?:[^()]|\([^()]*\))*\)")
_SKIPPED_LINE = re.compile(r"(?m),?\n\s*(?:INDEX|PROJECTION)\b.*$")
_SKIPPED_CLAUSE = re.compile(r"(?m)\n(?:TTL|SETTINGS)\b.*$")
_LOW_CARDINALITY = re.compile(r"LowCardinality\((\w+)\)")
_PLACEHOLDER = re.compile(r"\{(\w+):([^{}]+)\}")
_MUTATION = re.compile(r"\s*ALTER TABLE events\.(\w+).*\b(?:UPDATE|DELETE)\b", re.IGNORECASE | re.DOTALL)


def old_dialect(statement: str) -> tuple[str, ...]:
    """Int64 for times (the same bytes on the wire), no codecs, indexes, TTLs, settings, projections or views."""
    if re.match(r"(CREATE|DROP) (OR REPLACE )?VIEW\b", statement):
        return ()
    if re.match(
        r"ALTER TABLE \S+\s+(ON CLUSTER '\w+'\s+)?"
        r"((ADD|DROP|MATERIALIZE) (INDEX|PROJECTION)|MATERIALIZE COLUMN|MODIFY (TTL|SETTING))\b",
        statement,
    ):
        return ()
    for pattern, replacement in (
        (_CODEC, ""),
        (_SKIPPED_LINE, ""),
        (_SKIPPED_CLAUSE, ""),
        (_LOW_CARDINALITY, r"\1"),
        (re.compile(r"\bBool\b"), "UInt8"),
        (re.compile(r" SYNC$"), ""),
        (re.compile(r"DateTime64\(3, 'UTC'\)"), "Int64"),
        (re.compile(r"PARTITION BY toYYYYMM\((\w+)\)"), r"PARTITION BY toYYYYMM(toDateTime(intDiv(\1, 1000)))"),
    ):
        statement = pattern.sub(replacement, statement)
    return (statement.replace(" IF NOT EXISTS", "") if statement.startswith("ALTER") else statement,)


class OldConnection(ServerConnection):
    """Writes parameters as literals; waits for mutations, which this version only starts."""

    oldest_version = (18,)

    def execute(
        self,
        sql: str,
        *,
        parameters: Mapping[str, str] | None = None,
        settings: Mapping[str, int | str] | None = None,
        timeout: timedelta | None = None,
    ) -> Result:
        """As the product's."""

        def literal(found: re.Match[str]) -> str:
            rendered, kind = (parameters or {})[found.group(1)], found.group(2)
            if kind.startswith("DateTime64"):
                moment = datetime.fromisoformat(rendered).replace(tzinfo=UTC)
                return str(round(moment.timestamp() * 1000))
            if kind.startswith("Array"):
                return f"({rendered[1:-1]})"
            return rendered if "Int" in kind or "Decimal" in kind else f"'{rendered}'"

        text = _PLACEHOLDER.sub(literal, sql).replace("now64(3)", "toInt64(now()) * 1000")
        text = text.replace("toStartOfMinute(received_time)", "intDiv(received_time, 60000) * 60000")
        text = text.replace("toUnixTimestamp64Milli(", "(")
        known = {name: value for name, value in (settings or {}).items() if name in KNOWN_SETTINGS}
        try:
            result = super().execute(text, settings=known, timeout=timeout)
        except StatementError as error:
            # It knows no ADD COLUMN IF NOT EXISTS. The driver hangs up after an error.
            if error.code != COLUMN_EXISTS or " ADD COLUMN " not in text:
                raise
            self._client.disconnect()
            self._client.connection.force_connect()
            self._client.connection.is_query_executing = False
            result = Result(names=[], types=[], columns=[])
        mutated = _MUTATION.match(sql)
        while mutated and any(self._unfinished(mutated.group(1))):
            time.sleep(0.02)
        return result

    def _unfinished(self, table: str) -> list[int]:
        waiting = super().execute(
            f"SELECT count() AS n FROM system.mutations WHERE database = 'events' AND table = '{table}' AND is_done = 0"
        )
        return list(waiting.columns[0])


class OldServer:
    """One server process; `start` again after `kill` keeps port and data."""

    def __init__(self, folder: Path, more: str = "", port: int | None = None) -> None:
        assert BINARY is not None
        self.port = port or claimed_port()
        self.folder = folder
        for name in ("data", "tmp", "files"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        users = "".join(
            USER.format(name=name, password=password, profile=profile) for name, (password, profile) in ACCOUNTS.items()
        )
        (folder / "users.xml").write_text(USERS.format(users=users, longest=LONGEST_STATEMENT))
        (folder / "config.xml").write_text(CONFIG.format(folder=folder, port=self.port, more=more))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it answers."""
        with (self.folder / "output.log").open("ab") as output:
            self.process = subprocess.Popen(
                [*TIED, str(BINARY), f"--config-file={self.folder}/config.xml"],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
            )
        deadline = time.monotonic() + patient(30)
        while True:
            assert self.process.poll() is None, self._last_words()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            assert time.monotonic() < deadline, f"the server does not listen\n{self._last_words()}"
            time.sleep(0.05)

    def _last_words(self) -> str:
        """How it ended, if it has, and the ends of its logs."""
        assert self.process is not None
        logs = [path for name in ("output.log", "error.log") if (path := self.folder / name).exists()]
        texts = [f"{path.name}:\n{path.read_text(errors='replace')[-3000:]}" for path in logs]
        return "\n".join([f"exit code {self.process.poll()}", *texts])

    def signal(self, number: signal.Signals) -> None:
        """SIGSTOP, SIGCONT and the like."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(patient(30))

    def options(self, **changes: object) -> ServerOptions:
        """How to reach it, with short timeouts."""
        short = {
            "connect_timeout": timedelta(seconds=2),
            "reply_timeout": timedelta(seconds=5),
            "ping_timeout": timedelta(seconds=1),
        }
        return options_for(self.port, **(short | changes))

    def statement(self, sql: str) -> list[dict[str, object]]:
        """Run a statement as an operator would, past the store."""
        connection = OldConnection(("127.0.0.1", self.port), self.options())
        try:
            return connection.execute(sql).rows()
        finally:
            connection.close()


def old_store(server: OldServer, **changes: object) -> ServerStore:
    """A store on it."""
    return ServerStore(server.options(**changes), connect=OldConnection, dialect=old_dialect)


@contextlib.contextmanager
def running_server(folder: Path, more: str = "", port: int | None = None) -> Iterator[OldServer]:
    """A started server; killed at the end."""
    server = OldServer(folder, more, port)
    server.start()
    try:
        yield server
    finally:
        assert server.process is not None
        if server.process.poll() is None:
            server.signal(signal.SIGCONT)
            server.kill()
