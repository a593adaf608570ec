"""Two whole nodes write to one shard of two replicas while everything is killed; each event is on both, once.

`make soak` breaks for SOAK_SECONDS (600), everything in turn; the default suite three of it, drawn anew each time.
"""

import contextlib
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import grpc
import pytest

from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb.v1.scan_session_service_pb2 import RegisterScanSessionRequest
from qrumb.v1.scan_session_service_pb2_grpc import ScanSessionServiceStub
from qrumb_server.spool.reader import list_sealed
from tests.support.old_cluster import CAN_RUN, NAME, Cluster, running_cluster_with_tables, wait_until_replicas_agree
from tests.support.old_server import OldServer
from tests.support.once import SESSION, SITE, Tally, register_session, send_batches, send_single, send_spoilt
from tests.support.patience import patient
from tests.support.ports import claimed_port
from tests.support.stack import Stack, running_stack, wait_until

SECONDS = float(os.environ.get("SOAK_SECONDS", "0"))

pytestmark = [
    pytest.mark.stack,
    pytest.mark.clickhouse_server,
    pytest.mark.slow,
    pytest.mark.timeout(int(SECONDS) + 400),
    pytest.mark.skipif(not CAN_RUN, reason="no cluster: apt-get install clickhouse-server zookeeper"),
]

ROOT = Path(__file__).parents[2]
SETTINGS = {
    # Its sitecustomize.py makes the loaders speak the old version's dialect.
    "PYTHONPATH": f"{ROOT / 'tests/support/old_node'}:{ROOT}",
    "QRUMB_GATEWAY__ENABLED": "false",
    "QRUMB_CLICKHOUSE__CLUSTER": NAME,
    "QRUMB_CLICKHOUSE__CONNECT_TIMEOUT": "PT2S",
    "QRUMB_CLICKHOUSE__REPLY_TIMEOUT": "PT5S",
    "QRUMB_CLICKHOUSE__PING_TIMEOUT": "PT1S",
    "QRUMB_LOADER__RETRY_MAX_DELAY": "PT1S",
    "QRUMB_LOADER__REFUSED_DELAY": "PT1S",
}
QUEUE = "SELECT table, type, num_tries, last_exception, postpone_reason FROM system.replication_queue LIMIT 5"
REPLICAS = "SELECT table, is_readonly, is_session_expired, absolute_delay, queue_size FROM system.replicas"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The cluster, the nodes that write to it, and what each one's clients know."""

    cluster: Cluster
    nodes: Sequence[Stack]
    tallies: Sequence[Tally]

    def wait_for_answers(self, *, but: int | None = None) -> None:
        """Until every node, `but` one, has acknowledged a hundred events more."""
        goals = [len(tally.acknowledged) + 100 for tally in self.tallies]
        for at, (tally, goal) in enumerate(zip(self.tallies, goals, strict=True)):
            if at != but:
                wait_until(lambda tally=tally, goal=goal: len(tally.acknowledged) > goal, 60)

    def wait_until_loaded(self) -> None:
        """Until every node has stored what waits in its spool now; where it has not, why not, by its own word."""
        for node in self.nodes:
            waiting = wait_until(lambda node=node: [ref.path for ref in list_sealed(node.data_dir / "spool")], 30)
            try:
                wait_until(lambda waiting=waiting: not any(path.exists() for path in waiting), 120)
            except AssertionError as error:
                error.add_note(self.state())
                raise

    def state(self) -> str:
        """What replicas and nodes say, for a test that has failed."""
        replicas = [server.statement(sql) for server in self.cluster.servers for sql in (REPLICAS, QUEUE)]
        return "\n".join([str(replicas), *(f"{node.data_dir}: {node.log()[-3000:]}" for node in self.nodes)])


@contextlib.contextmanager
def running_scene(folder: Path) -> Iterator[Scene]:
    """Two nodes before one shard of two replicas; nothing is sent yet."""
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(running_cluster_with_tables(folder / "cluster", shards=1))
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in cluster.servers)
        nodes = [
            stack.enter_context(
                running_stack(
                    folder / name,
                    GRPC_PORT=str(claimed_port()),
                    QRUMB_CLICKHOUSE__URL=f"clickhouse://{hosts}",
                    **SETTINGS,
                )
            )
            for name in ("left", "right")
        ]
        yield Scene(cluster=cluster, nodes=nodes, tallies=[Tally(pause_seconds=0.1) for _ in nodes])


@contextlib.contextmanager
def load_on(scene: Scene) -> Iterator[None]:
    """Clients of every kind at both nodes, all in the same session."""
    threads = [
        threading.Thread(target=send, args=(tally, node.grpc_target))
        for node, tally in zip(scene.nodes, scene.tallies, strict=True)
        for send in (send_single, send_batches, send_spoilt, register_session)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for tally in scene.tallies:
            tally.stop.set()
        for thread in threads:
            thread.join(patient(30))


def move_session(scene: Scene) -> None:
    """A session that both nodes register, the second one with an earlier time: its events count elsewhere then."""
    for at, node in enumerate(scene.nodes):
        session = ScanSession(site_id=SITE, scan_session_id="moved", qr_code_id="q")
        session.scan_time.FromMilliseconds((int(time.time()) - 60 * at) * 1000)
        with grpc.insecure_channel(node.grpc_target) as channel:
            ScanSessionServiceStub(channel).RegisterScanSession(RegisterScanSessionRequest(scan_session=session))
        scene.wait_until_loaded()


def kill_server(scene: Scene, at: int) -> None:
    """kill -9 of a replica; the other one goes on."""
    scene.cluster.servers[at].kill()
    scene.wait_for_answers()
    time.sleep(random.uniform(0, 3))
    scene.cluster.servers[at].start()


def freeze_server(scene: Scene, at: int) -> None:
    """SIGSTOP, for less or more than its session with ZooKeeper lasts (4 s)."""
    scene.cluster.servers[at].signal(SIGSTOP)
    scene.wait_for_answers()
    time.sleep(random.uniform(1, 6))
    scene.cluster.servers[at].signal(SIGCONT)


def kill_node(scene: Scene, at: int) -> None:
    """kill -9 of all its processes, and a new start on the same data folder.

    Its last rows are there, and it does not know it; after its start they are in another batch, with newer ones.
    """
    scene.nodes[at].kill_all(lambda: wait_for_insert(scene, at, scene.cluster.servers))
    scene.wait_for_answers(but=at)
    scene.nodes[at].start()


def kill_node_and_server(scene: Scene, at: int, server: int) -> None:
    """The same, but the one replica that has the rows is away when the node comes back."""
    killed, other = scene.cluster.servers[server], scene.cluster.servers[1 - server]
    other.statement("SYSTEM STOP FETCHES")

    def when() -> None:
        wait_for_insert(scene, at, [killed])
        killed.kill()

    scene.nodes[at].kill_all(when)
    other.statement("SYSTEM START FETCHES")
    scene.nodes[at].start()
    scene.wait_for_answers()
    time.sleep(random.uniform(0, 5))
    killed.start()


def wait_for_insert(scene: Scene, at: int, servers: Sequence[OldServer]) -> None:
    """Until rows of a segment that the node has just sealed are on one of these servers.

    Which may be minutes, where replicas disagree since a host of a busy machine lost its session.
    """
    spool = scene.nodes[at].data_dir / "spool"
    before = {ref.path for ref in list_sealed(spool)}
    new = wait_until(lambda: [ref.segment_id for ref in list_sealed(spool) if ref.path not in before], 30, 0.001)
    sql = f"SELECT 1 FROM events.valid_events_local WHERE segment_id = '{new[-1]}' LIMIT 1"
    try:
        wait_until(lambda: any(server.statement(sql) for server in servers), 120, 0.001)
    except AssertionError as error:
        error.add_note(scene.state())
        raise


def kill_zookeeper(scene: Scene) -> None:
    """Without it the replicated tables are read-only: the nodes acknowledge all the same."""
    scene.cluster.zookeeper.kill()
    scene.wait_for_answers()
    time.sleep(random.uniform(0, 5))
    scene.wait_for_answers()
    scene.cluster.zookeeper.start()


FAULTS: dict[str, Callable[[Scene], None]] = {
    "kill server 0": lambda scene: kill_server(scene, 0),
    "kill server 1": lambda scene: kill_server(scene, 1),
    "freeze server": lambda scene: freeze_server(scene, random.randrange(2)),
    "kill left node": lambda scene: kill_node(scene, 0),
    "kill right node": lambda scene: kill_node(scene, 1),
    "kill node and server": lambda scene: kill_node_and_server(scene, random.randrange(2), random.randrange(2)),
    "kill ZooKeeper": kill_zookeeper,
}


# What callers notice at once: they lose nothing else.
OF_NODES = {"kill left node", "kill right node", "kill node and server"}


def drawn() -> list[str]:
    """A node's death, and two of whatever else there is."""
    first = random.choice(sorted(OF_NODES))
    return [first, *random.sample(sorted(FAULTS.keys() - {first}), 2)]


def keep_breaking(scene: Scene, seconds: float) -> Counter[str]:
    """All faults in random order, and again until the time is up; without time, some. Each after all work again."""
    deadline = time.monotonic() + seconds
    done: Counter[str] = Counter()
    plan = random.sample(sorted(FAULTS), len(FAULTS)) if seconds else drawn()
    while plan:
        scene.wait_for_answers()
        time.sleep(random.uniform(0, 0.5))
        fault = plan.pop()
        FAULTS[fault](scene)
        done[fault] += 1
        scene.wait_until_loaded()
        if not plan and time.monotonic() < deadline:
            plan = random.sample(sorted(FAULTS), len(FAULTS))
    return done


def test_each_event_is_on_both_replicas_once(tmp_path: Path) -> None:
    """Acknowledged by either node, stored exactly once; and every count of the ledger is that of the tables."""
    with running_scene(tmp_path) as scene:
        with load_on(scene):
            move_session(scene)
            faults = keep_breaking(scene, SECONDS)
        for node in scene.nodes:
            assert node.stop() == 0, node.log()[-3000:]
            assert list_sealed(node.data_dir / "spool") == []
        for table in ("valid_events", "invalid_events", "ledger"):
            wait_until_replicas_agree(scene.cluster, table)
        figures = audit(scene)
        print(json.dumps(figures | {"faults": dict(faults)}, indent=2))


def audit(scene: Scene) -> dict[str, object]:
    """Both replicas against what the clients know; returns the figures."""
    sent = set[str]().union(*(tally.sent for tally in scene.tallies))
    acknowledged = set[str]().union(*(tally.acknowledged for tally in scene.tallies))
    rejected = set[str]().union(*(tally.rejected for tally in scene.tallies))
    failures = sum((tally.failures for tally in scene.tallies), Counter[str]())
    assert failures, "no call ever failed: the faults did not hit anything"
    for server in scene.cluster.servers:
        stored = ids_in(server.statement, "valid_events", "toString(event_id)")
        letters = ids_in(server.statement, "invalid_events", "event_id")
        assert_once("events", stored, acknowledged, sent)
        assert_once("rejected events", letters, rejected, sent - acknowledged)
        for table in ("valid_events", "invalid_events", "ledger"):
            [places] = server.statement(
                f"SELECT count() AS number, uniqExact(segment_id, segment_row) AS places FROM events.{table}_local"
            )
            assert places["number"] == places["places"], f"{table}: a row of the spool is stored twice"
        [marks] = server.statement(
            "SELECT sum(is_duplicate) AS duplicates, countIf(scan_session_id != '' AND qr_code_id = '') AS unknown "
            "FROM events.valid_events_local"
        )
        assert marks["duplicates"] == 0, "an event that came once is called a duplicate"
        [sums] = server.statement(
            "SELECT sum(received_count) AS received, sum(stored_count) AS stored, sum(rejected_count) AS rejected, "
            "sum(unique_count) AS uniques, sum(duplicate_count) AS duplicates FROM events.ledger_local"
        )
        wanted = {"stored": len(stored), "rejected": len(letters), "uniques": len(stored), "duplicates": 0}
        assert sums == wanted | {"received": len(stored) + len(letters)}, "the ledger differs from the tables"
        sessions = server.statement(
            "SELECT scan_session_id AS id, qr_code_id AS code FROM events.scan_sessions_local FINAL"
        )
        assert sorted(str(row["id"]) for row in sessions) == ["moved", SESSION], sessions
        assert {row["code"] for row in sessions} == {"q"}
    return {
        "acknowledged": len(acknowledged),
        "stored": len(stored),
        "rejected": len(letters),
        "ledger": sums,
        "without a code": marks["unknown"],
        "failed calls": dict(failures),
    }


def ids_in(ask: Callable[[str], Sequence[dict[str, object]]], table: str, column: str) -> Counter[str]:
    """Rows of a replica by event_id."""
    return Counter(str(row["id"]) for row in ask(f"SELECT {column} AS id FROM events.{table}_local"))


def assert_once(what: str, there: Counter[str], answered: set[str], sent: set[str]) -> None:
    """Every answered one, nothing that was not sent, nothing twice."""
    lost = answered - set(there)
    assert not lost, f"{len(lost)} {what} answered and lost, such as {sorted(lost)[:5]}"
    extra = set(there) - sent
    assert not extra, f"{len(extra)} {what} stored and never sent, such as {sorted(extra)[:5]}"
    doubled = [event_id for event_id, number in there.items() if number > 1]
    assert not doubled, f"{len(doubled)} {what} stored twice, such as {doubled[:5]}"
