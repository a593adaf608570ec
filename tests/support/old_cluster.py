"""Two shards of two replicas each, from Debian's packages: clickhouse-server 18.16 and ZooKeeper, on loopback."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from qrumb_server.store.render import cluster_dialect
from qrumb_server.store.server import ServerStore
from tests.support.old_server import BINARY, OldConnection, OldServer, old_dialect, running_server
from tests.support.ports import claimed_ports

__all__ = ["CAN_RUN", "Cluster", "running_cluster"]

ZOOKEEPER_JAR = Path("/usr/share/java/zookeeper.jar")
CAN_RUN = BINARY is not None and ZOOKEEPER_JAR.exists() and shutil.which("java") is not None
NAME = "main"
SHARDS = ((0, 1), (2, 3))

MORE = """
    <interserver_http_port>{interserver_port}</interserver_http_port>
    <interserver_http_host>127.0.0.1</interserver_http_host>
    <zookeeper><node><host>127.0.0.1</host><port>{zookeeper_port}</port></node>
        <session_timeout_ms>4000</session_timeout_ms></zookeeper>
    <distributed_ddl><path>/clickhouse/task_queue/ddl</path></distributed_ddl>
    <macros><shard>{shard}</shard><replica>{replica}</replica></macros>
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Servers 0 and 1 are the replicas of the first shard, 2 and 3 of the second."""

    servers: list[OldServer]

    def store(self, **changes: object) -> ServerStore:
        """A store that knows all four."""
        hosts = [("127.0.0.1", server.port) for server in self.servers]
        options = self.servers[0].options(hosts=hosts, cluster=NAME, **changes)
        return ServerStore(options, connect=OldConnection, dialect=dialect)


@contextlib.contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """All started; all gone at the end."""
    ports = claimed_ports(9)
    zookeeper_port, tcp_ports, interserver_ports = ports[0], ports[1:5], ports[5:]
    shards = "".join(
        "<shard><internal_replication>true</internal_replication>"
        + "".join(f"<replica><host>127.0.0.1</host><port>{tcp_ports[at]}</port></replica>" for at in members)
        + "</shard>"
        for members in SHARDS
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(running_zookeeper(folder / "zookeeper", zookeeper_port))
        servers = []
        for at in range(4):
            more = MORE.format(
                interserver_port=interserver_ports[at],
                zookeeper_port=zookeeper_port,
                shard=at // 2,
                replica=at % 2,
                shards=shards,
            )
            servers.append(stack.enter_context(running_server(folder / f"server-{at}", more, tcp_ports[at])))
        yield Cluster(servers=servers)


@contextlib.contextmanager
def running_zookeeper(folder: Path, port: int) -> Iterator[None]:
    """One ZooKeeper."""
    folder.mkdir(parents=True)
    (folder / "zoo.cfg").write_text(
        f"clientPort={port}\nclientPortAddress=127.0.0.1\ndataDir={folder}/data\nadmin.enableServer=false\n"
        "tickTime=500\nmaxClientCnxns=0\n"
    )
    command = ["java", "-Xmx128m", "-cp", "/usr/share/java/*", f"-Dzookeeper.log.dir={folder}"]
    with (folder / "output.log").open("ab") as output:
        process = subprocess.Popen(
            [*command, "org.apache.zookeeper.server.quorum.QuorumPeerMain", folder / "zoo.cfg"],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
        )
    try:
        deadline = time.monotonic() + 30
        while True:
            assert process.poll() is None, (folder / "output.log").read_text(errors="replace")[-2000:]
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert time.monotonic() < deadline, "ZooKeeper does not listen"
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait(30)
