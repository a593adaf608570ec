"""A node with a database of places and small batches: what is known of a visitor, and what is nowhere to be found.

The tests share one node; one of them starts it again, with another rule for its own site.
"""

import json
import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceStub
from qrumb_server.spool.reader import find_records
from qrumb_server.store.embedded import EmbeddedStore
from qrumb_server.wire.v1.record_pb2 import Record
from tests.support.mmdb import write_mmdb
from tests.support.patience import patient
from tests.support.stack import Stack, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.chdb]

ADDRESS = "81.2.69.142"
PHONE = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36"
)
WINDOWS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)
CLICK: dict[str, Any] = {"site_id": "place", "event_type": "click"}
PURCHASE = {"site_id": "place", "scan_session_id": "s", "event_name": "purchase", "client_ip": ADDRESS}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The node; its database knows the tests' own address and one more."""
    folder = tmp_path_factory.mktemp("own")
    networks = {
        "127.0.0.0/8": {"country": {"iso_code": "GB"}, "city": {"names": {"en": "London"}}},
        "81.2.69.0/24": {"country": {"iso_code": "FR"}, "city": {"names": {"en": "Lyon"}}},
    }
    stack = Stack(
        folder / "data",
        GEOIP_CITY_DB=str(write_mmdb(folder / "city.mmdb", networks)),
        QRUMB_WORKERS="2",
        QRUMB_LOADER__BATCH_MAX_EVENTS="5",
        QRUMB_SPOOL__SEGMENT_MAX_RECORDS="4",
        QRUMB_GATEWAY__ACCESS_LOG="true",
    )
    stack.start()
    yield stack
    assert stack.process is not None
    if stack.process.poll() is None:
        assert stack.stop() == 0


def post(stack: Stack, path: str, event: dict[str, Any], **headers: str) -> str:
    """Send an event; its id."""
    with stack.http() as client:
        reply = client.post(path, json=event, headers={"user-agent": PHONE, **headers})
    assert reply.status_code == 200, reply.text
    event_id: str = reply.json()["receipt"]["event_id"]
    return event_id


def row_of(stack: Stack, event_id: str, site_id: str = "place") -> dict[str, Any]:
    """The row of an event, once it is there."""

    def ask() -> dict[str, Any] | None:
        with stack.http() as client:
            return client.get(f"/v1/sites/{site_id}/receipts/{event_id}").json().get("row")

    return wait_until(ask) or {}


def test_place_of_a_visitor_by_consent(own: Stack) -> None:
    """Country always, city with consent; a backend's own address says nothing, the one that it states does."""
    sent = {
        consent: post(own, "/collect", CLICK | ({"consent": consent} if consent else {}))
        for consent in ("", "granted", "pending", "denied")
    }
    purchase = post(own, "/server-events", PURCHASE)
    without = post(own, "/server-events", PURCHASE | {"client_ip": ""})
    with grpc.insecure_channel(own.grpc_target) as channel:
        event = BrowserEvent(**CLICK)
        direct = CollectorServiceStub(channel).CollectBrowserEvent(
            pb.CollectBrowserEventRequest(event=event), timeout=patient(10)
        )
    places = {consent: row_of(own, event_id) for consent, event_id in sent.items()}
    assert {consent: (row["country_code"], row["city"]) for consent, row in places.items()} == {
        "": ("GB", "London"),
        "granted": ("GB", "London"),
        "pending": ("GB", ""),
        "denied": ("GB", ""),
    }
    for event_id, place in ((purchase, ("FR", "Lyon")), (without, ("", "")), (direct.receipt.event_id, ("", ""))):
        row = row_of(own, event_id)
        assert (row["country_code"], row["city"]) == place


@pytest.mark.parametrize(
    ("headers", "device", "reasons"),
    [
        ({"user-agent": PHONE, "sec-ch-ua-mobile": "?1", "sec-ch-ua-platform": '"Android"'},
         ("mobile", "Chrome Mobile", "Android"), []),
        ({"user-agent": WINDOWS}, ("desktop", "Chrome", "Windows"), []),
        ({"user-agent": WINDOWS, "sec-ch-ua-platform": '"Android"'}, ("desktop", "Chrome", "Windows"),
         ["agent_mismatch"]),
        ({"user-agent": WINDOWS, "sec-ch-ua": '"HeadlessChrome";v="131"'}, ("bot", "Chrome", "Windows"), ["bot"]),
        ({"user-agent": WINDOWS, "sec-purpose": "prefetch;prerender"}, ("desktop", "Chrome", "Windows"), ["prefetch"]),
        ({"user-agent": "curl/8.5.0"}, ("bot", "", ""), ["bot"]),
        ({"user-agent": ""}, ("", "", ""), ["missing_agent"]),
    ],
    ids=["phone", "desktop", "mismatch", "headless", "prefetch", "curl", "none"],
)  # fmt: skip
def test_device_from_the_requests_headers(
    own: Stack, headers: dict[str, str], device: tuple[str, str, str], reasons: list[str]
) -> None:
    """Through the gateway: columns and marks."""
    row = row_of(own, post(own, "/collect", CLICK, **headers))
    assert (row["device_type"], row["os_family"]) == (device[0], device[2])
    assert row["browser_family"] in {device[1], "curl", "HeadlessChrome"}
    assert (row["fraud_reasons"], row["is_fraud"]) == (reasons, int(bool(reasons)))


def test_a_clients_attempt_count_is_not_believed_and_no_address_is_written(own: Stack) -> None:
    """In the spool, with the loader held: the gateway's own count, and no visitor's address."""
    forged = {"x-envoy-attempt-count": "5", "x-forwarded-for": ADDRESS, "x-client-ip": ADDRESS}
    loader = own.children()["loader"]
    loader.suspend()
    try:
        sent = [post(own, "/collect", CLICK, **forged), post(own, "/server-events", PURCHASE, **forged)]
        with grpc.insecure_channel(own.url.removeprefix("http://")) as channel:
            answer = CollectorServiceStub(channel).CollectBrowserEvent(
                pb.CollectBrowserEventRequest(event=BrowserEvent(**CLICK)),
                timeout=patient(10),
                metadata=tuple(forged.items()),
            )
        sent.append(answer.receipt.event_id)
        with own.http() as client:
            assert client.post("/server-events", json=PURCHASE | {"event_name": ""}).status_code == 400
        root = own.data_dir / "spool"
        records = [Record.FromString(one.record) for event in sent for one in find_records(root, event.encode())]
        assert [record.accepted_event.row.event_id for record in records] == sent
        assert not any(record.accepted_event.retried for record in records)
        assert all(record.accepted_event.ip_key for record in records)
        assert list(find_records(root, ADDRESS.encode())) == []
        assert files_with(own.data_dir, ADDRESS) == []
    finally:
        loader.resume()
    own.wait_for_empty_spool()
    [found] = own.query(
        f"SELECT toUInt32(countIf(text LIKE '%{ADDRESS}%')) AS with_address, toUInt32(countIf(text LIKE '%place%')) AS "
        "all FROM (SELECT toString(tuple(*)) AS text FROM events.valid_events "
        "UNION ALL SELECT toString(tuple(*)) FROM events.invalid_events)"
    )
    assert found["with_address"] == 0
    assert found["all"] >= 4
    assert files_with(own.data_dir, ADDRESS) == []
    assert ADDRESS not in own.log()
    assert '"127.0.0.1"' not in own.log()


def files_with(folder: Path, text: str) -> list[Path]:
    """Files that hold a text; those that go meanwhile do not count."""
    found = []
    for path in folder.rglob("*"):
        try:
            if path.is_file() and text.encode() in path.read_bytes():
                found.append(path)
        except FileNotFoundError:
            continue
    return found


def test_tail_misses_nothing_where_batches_are_small(own: Stack) -> None:
    """Rows of one worker are loaded after later ones of the other; none may be behind the cursor."""
    sent = [str(uuid.uuid4()) for _ in range(160)]
    event = {"site_id": "tailed", "event_type": "click"}

    def send(part: list[str]) -> None:
        with own.http() as client:
            for event_id in part:
                assert client.post("/collect", json=event | {"event_id": event_id}).status_code == 200

    threads = [threading.Thread(target=send, args=(sent[index::4],)) for index in range(4)]
    seen: list[str] = []
    with own.http() as client:
        # Before the first of them: what this answer shows is behind its cursor.
        cursor = client.get("/v1/sites/tailed/tail").json()["cursor"]
        for thread in threads:
            thread.start()

        def follow() -> bool:
            nonlocal cursor
            answer = client.get("/v1/sites/tailed/tail", params={"cursor": cursor}).json()
            cursor = answer["cursor"]
            seen.extend(row["event_id"] for row in answer["rows"])
            return not any(thread.is_alive() for thread in threads) and own.spool_bytes() == 0

        wait_until(follow, 40, 0.005)
        follow()
        newest = client.get("/v1/sites/tailed/tail", params={"limit": 1000}).json()["rows"]
    assert len(newest) == len(sent)
    assert sorted(seen) == sorted(sent)


def test_replay_and_rescore_after_the_rules_were_corrected(own: Stack) -> None:
    """Letters whose events are accepted now become rows once, however often; marks follow the rules of today."""
    said = {"site_id": "corrected", "event_id": "nowhere", "page_url": "https://a.example/"}
    letters = [{**said, "event_type": f"type-{number}"} for number in range(3)]
    with own.http() as client:
        for letter in letters:
            assert client.post("/collect", json=letter).status_code == 400
        bot = {"site_id": "corrected", "event_type": "bot"}
        assert client.post("/collect", json=bot, headers={"user-agent": "curl/8.5.0"}).status_code == 200
    assert own.stop() == 0
    store = EmbeddedStore.open(own.data_dir / "clickhouse", lock_timeout=timedelta(seconds=10))
    # As if the rule had been wrong: the payloads of two letters break none.
    store.mutate(
        "ALTER TABLE events.invalid_events UPDATE payload = replaceOne(payload, 'nowhere', ''), "
        "event_id = toString(reinterpretAsUUID(MD5(payload))) "
        "WHERE site_id = 'corrected' AND payload NOT LIKE '%type-0%'"
    )
    store.close()
    (own.data_dir / "sites.toml").write_text('[corrected.fraud]\nignored_reasons = ["bot"]\n')
    own.start()
    select = ("--site", "corrected", "--reason", "invalid_uuid")
    dry = own.command("replay", *select, "--dry-run")
    assert dry.stdout == "would be accepted: 2, still rejected: 1, not whole: 0\n"
    [one, _other] = own.query(
        "SELECT event_id FROM events.invalid_events WHERE site_id = 'corrected' AND event_id != 'nowhere'"
    )
    with own.http() as client:
        path = "/v1/sites/corrected/replay-rejected-events"
        asked = client.post(path, json={"reason": "INVALID_UUID", "validate_only": True}).json()
        assert asked == {"accepted_count": "2", "rejected_count": "1", "unreadable_count": "0"}
        for accepted in ("1", "0"):
            assert client.post(path, json={"event_id": one["event_id"]}).json()["accepted_count"] == accepted
    first, second = own.command("replay", *select), own.command("replay", *select)
    assert first.stdout == "accepted: 1, still rejected: 1, not whole: 0\n", first.stderr
    assert second.stdout == "accepted: 0, still rejected: 1, not whole: 0\n", second.stderr
    rows = own.query(
        "SELECT event_type, page_url, fraud_reasons, is_fraud FROM events.valid_events WHERE site_id = 'corrected' "
        "AND event_type != 'bot' ORDER BY event_type"
    )
    assert rows == [
        {"event_type": f"type-{number}", "page_url": "https://a.example/", "fraud_reasons": [], "is_fraud": 0}
        for number in (1, 2)
    ]
    ledger = own.command("ledger", "--site", "corrected", "--format", "json")
    assert ledger.returncode == 0
    entries = [json.loads(line) for line in ledger.stdout.splitlines()]
    assert {name: sum(entry[name] for entry in entries) for name in ("received_count", "stored_count")} == {
        "received_count": 4,
        "stored_count": 3,
    }
    since = ("--site", "corrected", "--since", "2026-01-01")
    assert own.command("rescore", *since).stdout == "examined: 3, changed: 1\n"
    assert own.command("rescore", *since).stdout == "examined: 3, changed: 0\n"
    assert own.count("site_id = 'corrected' AND is_fraud = 1") == 0
