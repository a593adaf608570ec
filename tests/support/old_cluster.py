"""Shards of two replicas each, from Debian's packages: clickhouse-server 18.16 and ZooKeeper, on loopback."""

import contextlib
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from qrumb_server.store.schema.files import load_migrations
from qrumb_server.store.schema.render import cluster_dialect, render
from qrumb_server.store.server import ServerStore
from tests.support.old_server import BINARY, OldConnection, OldServer, old_dialect, running_server
from tests.support.patience import patient
from tests.support.ports import claimed_ports
from tests.support.stack import wait_until
from tests.support.tied import TIED

__all__ = [
    "CAN_RUN",
    "DDL_TIMEOUT",
    "NAME",
    "Cluster",
    "ZooKeeper",
    "dialect",
    "empty",
    "running_cluster",
    "running_cluster_with_tables",
    "wait_until_replicas_agree",
]

ZOOKEEPER_JAR = Path("/usr/share/java/zookeeper.jar")
CAN_RUN = BINARY is not None and ZOOKEEPER_JAR.exists() and shutil.which("java") is not None
NAME = "main"
REPLICAS = 2
EVENTS = "events.valid_events_local"
_TABLE = re.compile(r"(?:CREATE TABLE IF NOT EXISTS|DROP TABLE IF EXISTS|ALTER TABLE) (\S+)")
_COLUMNS = "SELECT table, name, type FROM system.columns WHERE database = 'events' ORDER BY table, name"
_APPLIED = "SELECT number FROM events.schema_migrations"
# How a host that does not come back to its queue is said.
DDL_TIMEOUT = "distributed_ddl_task_timeout"

# A server that was killed in the middle of an insert may have a part that ZooKeeper does not know, and sets it aside at
# its start. It refuses to start where such parts hold more than half of a table's rows, which of a small table is soon
# so: the ratio is raised. A lost session with ZooKeeper is looked for each second, not each minute: until then
# the tables only read.
MORE = """
    <interserver_http_port>{interserver_port}</interserver_http_port>
    <interserver_http_host>127.0.0.1</interserver_http_host>
    <zookeeper><node><host>127.0.0.1</host><port>{zookeeper_port}</port></node>
        <session_timeout_ms>4000</session_timeout_ms></zookeeper>
    <distributed_ddl><path>/clickhouse/task_queue/ddl</path></distributed_ddl>
    <macros><shard>{shard}</shard><replica>{replica}</replica></macros>
    <merge_tree><replicated_max_ratio_of_wrong_parts>1</replicated_max_ratio_of_wrong_parts>
        <zookeeper_session_expiration_check_period>1</zookeeper_session_expiration_check_period></merge_tree>
    <remote_servers><main>{shards}</main></remote_servers>
"""


# How the tables were made that span all shards, by name.
_WHOLES: dict[str, str] = {}


def dialect(statement: str) -> tuple[str, ...]:
    """The cluster's statements, in the words of the old version."""
    spoken = [said for part in cluster_dialect(NAME)(statement) for said in old_dialect(part)]
    return tuple(said for part in spoken for said in _made_anew(part))


def _made_anew(statement: str) -> tuple[str, ...]:
    """It alters no table that spans shards; such a table holds nothing and is made again."""
    words = statement.split(maxsplit=6)
    if statement.startswith("CREATE TABLE") and " ENGINE = Distributed(" in statement.replace("\n", " "):
        _WHOLES[words[5]] = statement
    elif statement.startswith("ALTER TABLE") and words[2] in _WHOLES and " COLUMN " in statement:
        return f"DROP TABLE IF EXISTS {words[2]} ON CLUSTER '{NAME}'", _WHOLES[words[2]]
    return (statement,)


class ZooKeeper:
    """One ZooKeeper; `start` again after `kill` keeps port and data."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self._folder = folder
        folder.mkdir(parents=True)
        (folder / "zoo.cfg").write_text(
            f"clientPort={port}\nclientPortAddress=127.0.0.1\ndataDir={folder}/data\nadmin.enableServer=false\n"
            "tickTime=500\nmaxClientCnxns=0\n4lw.commands.whitelist=cons\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it listens."""
        command = [
            *TIED,
            "java",
            "-Xmx128m",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            "/usr/share/java/*",
            f"-Dzookeeper.log.dir={self._folder}",
        ]
        with (self._folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                [*command, "org.apache.zookeeper.server.quorum.QuorumPeerMain", self._folder / "zoo.cfg"],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
            )
        deadline = time.monotonic() + patient(30)
        while True:
            assert self._process.poll() is None, (self._folder / "output.log").read_text(errors="replace")[-2000:]
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            assert time.monotonic() < deadline, "ZooKeeper does not listen"
            time.sleep(0.05)

    def listeners(self) -> int:
        """Sessions that have listed what is in their queue, and nothing since."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
            connection.sendall(b"cons")
            lines = b"".join(iter(lambda: connection.recv(65_536), b"")).decode().splitlines()
        return sum("lop=GETC" in line or "lop=PING" in line for line in lines)

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(patient(30))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The servers, those of one shard next to each other: 0 and 1 are the replicas of the first."""

    servers: list[OldServer]
    zookeeper: ZooKeeper

    @property
    def shards(self) -> list[list[OldServer]]:
        """The replicas of each."""
        return [self.servers[at : at + REPLICAS] for at in range(0, len(self.servers), REPLICAS)]

    def store(self, **changes: object) -> ServerStore:
        """A store that knows all of them."""
        all_known = {"hosts": [("127.0.0.1", server.port) for server in self.servers], "cluster": NAME}
        options = self.servers[0].options(**(all_known | changes))
        return ServerStore(options, connect=OldConnection, dialect=dialect)


@contextlib.contextmanager
def running_cluster(folder: Path, *, shards: int = 2) -> Iterator[Cluster]:
    """All started; all gone at the end."""
    number = shards * REPLICAS
    zookeeper_port, *ports = claimed_ports(1 + 2 * number)
    tcp_ports, interserver_ports = ports[:number], ports[number:]
    described = "".join(
        "<shard><internal_replication>true</internal_replication>"
        + "".join(
            f"<replica><host>127.0.0.1</host><port>{port}</port></replica>" for port in tcp_ports[at : at + REPLICAS]
        )
        + "</shard>"
        for at in range(0, number, REPLICAS)
    )
    with contextlib.ExitStack() as stack:
        zookeeper = ZooKeeper(folder / "zookeeper", zookeeper_port)
        zookeeper.start()
        stack.callback(zookeeper.kill)
        servers = []
        for at in range(number):
            more = MORE.format(
                interserver_port=interserver_ports[at],
                zookeeper_port=zookeeper_port,
                shard=at // REPLICAS,
                replica=at % REPLICAS,
                shards=described,
            )
            servers.append(stack.enter_context(running_server(folder / f"server-{at}", more, tcp_ports[at])))
        # An ON CLUSTER statement that comes before a server looks into its queue ends this version by SIGSEGV.
        wait_until(lambda: zookeeper.listeners() == number, 30)
        yield Cluster(servers=servers, zookeeper=zookeeper)


@contextlib.contextmanager
def running_cluster_with_tables(
    folder: Path, *, shards: int = 2, migrate: Callable[[Cluster], bool] | None = None
) -> Iterator[Cluster]:
    """The same with all tables; where `migrate` makes them, it says whether it was done in time.

    A host of this version that loses its session with ZooKeeper while it works on an ON CLUSTER statement, as it may on
    a busy machine, never comes back to its queue. Such a cluster is of no use, so another one is started.
    """
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(running_cluster(folder / "first", shards=shards))
        migrate = migrate or make_tables
        if not migrate(cluster):
            stack.close()
            cluster = stack.enter_context(running_cluster(folder / "second", shards=shards))
            assert migrate(cluster)
        yield cluster


def make_tables(cluster: Cluster) -> bool:
    """What a migration leaves, made on each host by itself: true, since it always comes to an end.

    In the queue of ON CLUSTER, which migrations of `shard` in test_cluster go through, a hundred statements wait for
    every host each, for half a minute. Tables that span shards are made once, in the end.
    """
    migrations = render(load_migrations(), dialect)
    wholes: dict[str, str] = {}
    for statement in (said for migration in migrations for said in migration.statements):
        plain = statement.replace(f" ON CLUSTER '{NAME}'", "")
        table = _TABLE.match(plain)
        if table and " ENGINE = Distributed(" in plain.replace("\n", " "):
            wholes[table[1]] = plain
        elif table and table[1] in wholes:
            wholes.pop(table[1])
        elif not plain.startswith("INSERT "):  # of what an older schema held
            for shard in cluster.shards:
                # What one replica alters, the other one does after it.
                for server in shard[:1] if plain.startswith("ALTER ") else shard:
                    server.statement(plain)
    for left, right in cluster.shards:
        wait_until(lambda left=left, right=right: left.statement(_COLUMNS) == right.statement(_COLUMNS), 30)
    for server in cluster.servers:
        for plain in wholes.values():
            server.statement(plain)
    for one in migrations:
        cluster.servers[0].statement(
            "INSERT INTO events.schema_migrations (number, name, checksum, applied_time) "
            f"SELECT {one.number}, '{one.name}', '{one.checksum}', now64(3)"
        )
    for server in cluster.servers:
        wait_until(lambda server=server: len(server.statement(_APPLIED)) == len(migrations), 30)
    with contextlib.closing(cluster.store()) as store:
        assert store.migrate() == []  # nor does any column differ
    return True


def empty(cluster: Cluster) -> None:
    """Take the events of an earlier test away, on all replicas."""
    for shard in cluster.shards:
        shard[0].statement(f"TRUNCATE TABLE {EVENTS}")
        for server in shard:
            wait_until(
                lambda server=server: not server.statement("SELECT 1 FROM events.valid_events_local LIMIT 1"), 30
            )


def wait_until_replicas_agree(cluster: Cluster, table: str = "valid_events") -> None:
    """Replication is asynchronous."""
    places = f"SELECT count() AS number, sum(cityHash64(segment_id, segment_row)) AS sum FROM events.{table}_local"
    for left, right in cluster.shards:
        wait_until(lambda left=left, right=right: left.statement(places) == right.statement(places), 30, 0.2)
