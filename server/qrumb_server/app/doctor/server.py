"""How the ClickHouse server is: each host's answer, version, rights and clock."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from qrumb_server.app.doctor.finding import Finding, fault, note, well
from qrumb_server.app.stores import server_options
from qrumb_server.config import Settings
from qrumb_server.errors import ConfigError
from qrumb_server.ports import Clock
from qrumb_server.store.connection import (
    ConnectError,
    Host,
    ServerConnection,
    ServerOptions,
    StaleError,
    StatementError,
    TooOldError,
)

__all__ = ["clickhouse"]

SUBJECT: Final = "ClickHouse"
# DROP: a migration replaces views, and an old one removes a table.
RIGHTS: Final = ("SELECT", "INSERT", "ALTER", "CREATE", "DROP")
CLOCK_SLACK: Final = timedelta(seconds=2)
# ClickHouse's number for SQL that it does not know: CHECK GRANT came after the oldest version that qrumb takes.
SYNTAX_ERROR: Final = 62


def clickhouse(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """One host after another; one line where it is the embedded one."""
    if settings.clickhouse.url is None:
        yield well(SUBJECT, f"embedded, in {settings.clickhouse_dir}")
        return
    try:
        options = server_options(settings.clickhouse)
    except ConfigError as error:
        yield fault(SUBJECT, str(error), "see CLICKHOUSE_PASSWORD_FILE")
        return
    for host in options.hosts:
        yield from _host(host, options, clock)


def _host(host: Host, options: ServerOptions, clock: Clock) -> Iterator[Finding]:
    name = f"{host[0]}:{host[1]}"
    try:
        connection = ServerConnection(host, options)
    except TooOldError as error:
        yield fault(SUBJECT, f"{name}: {error}", "update it")
        return
    except ConnectError as error:
        fix = "see user and password of CLICKHOUSE_URL" if error.code else "is it up, and reachable from here?"
        yield fault(SUBJECT, f"{name}: {error}", fix)
        return
    try:
        yield from _session(name, connection, clock)
    except (StatementError, StaleError) as error:
        yield fault(SUBJECT, f"{name}: {error}", "look at the server's log")
    finally:
        connection.close()


def _session(name: str, connection: ServerConnection, clock: Clock) -> Iterator[Finding]:
    sql = "SELECT version() AS version, toInt64(toUnixTimestamp64Milli(now64(3))) AS now, getSetting('readonly') AS ro"
    [row] = connection.execute(sql).rows()
    yield well(SUBJECT, f"{name}: version {row['version']}")
    behind = timedelta(milliseconds=int(row["now"]) - clock.now_ms())
    if abs(behind) > CLOCK_SLACK:
        said = f"{name}: its clock differs from this machine's by {behind.total_seconds():+,.1f} s"
        yield note(SUBJECT, said, "keep both in time (NTP)")
    if int(row["ro"]):
        yield fault(SUBJECT, f"{name}: its user may only read (setting readonly)", "take a profile without readonly")
        return
    missing = _missing_rights(connection)
    if missing is None:
        said = f"{name}: rights not looked at, the server is too old to be asked"
        yield note(SUBJECT, said, f"needed on events.*: {', '.join(RIGHTS)}")
    elif missing:
        grant = f"GRANT {', '.join(missing)} ON events.* TO its user"
        yield fault(SUBJECT, f"{name}: its user lacks {', '.join(missing)} on events.*", grant)


def _missing_rights(connection: ServerConnection) -> list[str] | None:
    try:
        return [
            right
            for right in RIGHTS
            if not next(iter(connection.execute(f"CHECK GRANT {right} ON events.*").columns[0]))
        ]
    except StatementError as error:
        if error.code == SYNTAX_ERROR:
            return None
        raise
