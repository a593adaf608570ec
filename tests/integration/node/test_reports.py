"""What became of events, asked of the real node: receipts, dead letters, ledger, counts, tail, funnel, erasure."""

import threading
import uuid
from datetime import datetime
from typing import Any, Final

import grpc
import httpx
import pytest

from qrumb.v1 import query_service_pb2 as pb
from qrumb.v1.query_service_pb2_grpc import QueryServiceStub
from tests.support.patience import patient
from tests.support.stack import Stack, wait_until

pytestmark = pytest.mark.stack

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"
AS_BROWSER = {"user-agent": FIREFOX}


def get(stack: Stack, path: str, **parameters: Any) -> dict[str, Any]:
    """A successful answer over HTTP."""
    with stack.http() as client:
        reply = client.get(path, params=parameters)
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


def refusal(stack: Stack, path: str, **parameters: Any) -> tuple[int, str, str]:
    """Status, field and reason of a refused call."""
    with stack.http() as client:
        reply = client.get(path, params=parameters)
    details = reply.json()["details"]
    violation = details[0]["field_violations"][0] if len(details) > 1 else {"field": "", "reason": details[0]["reason"]}
    return reply.status_code, violation["field"], violation["reason"]


def collect(client: httpx.Client, site_id: str, **fields: Any) -> httpx.Response:
    """A click, unless told otherwise."""
    return client.post("/collect", json={"site_id": site_id, "event_type": "click", **fields}, headers=AS_BROWSER)


def receipt(stack: Stack, site_id: str, event_id: str) -> dict[str, Any]:
    """What became of an event."""
    return get(stack, f"/v1/sites/{site_id}/receipts/{event_id}")


def ledger_sums(stack: Stack, site_id: str) -> dict[str, int]:
    """The ledger of a site over all minutes."""
    sums: dict[str, int] = {}
    for entry in get(stack, f"/v1/sites/{site_id}/ledger")["entries"]:
        for name, value in entry.items():
            if name.endswith("_count"):
                sums[name] = sums.get(name, 0) + int(value)
    return sums


def wait_until_loaded(stack: Stack, site_id: str, received: int) -> None:
    """Until so many events of a site are in their tables."""
    expected = {"received_count": received, "spooled_count": 0, "scan_spooled_count": 0}
    wait_until(lambda: expected.items() <= ledger_sums(stack, site_id).items(), 30)


def test_receipt_in_every_fate(stack: Stack) -> None:
    """Stored, duplicate with and without conflict, rejected, never seen."""
    once, twice, other, wrong = (str(uuid.uuid4()) for _ in range(4))
    with stack.http() as client:
        collect(client, "fates", event_id=once)
        for title in ("a", "a"):
            collect(client, "fates", event_id=twice, page_title=title)
        for title in ("a", "b", "b"):
            collect(client, "fates", event_id=other, page_title=title)
        # In upper case: the receipt has the canonical form, and both find it.
        assert collect(client, "fates", event_id=wrong.upper(), event_type="").status_code == 400
    wait_until_loaded(stack, "fates", 7)
    found = receipt(stack, "fates", once)
    assert (found["fate"], found["arrival_count"], found["conflict_count"]) == ("STORED", 1, 0)
    assert found["row"]["event_id"] == once
    found = receipt(stack, "fates", twice)
    assert (found["fate"], found["arrival_count"], found["conflict_count"]) == ("DUPLICATE", 2, 0)
    found = receipt(stack, "fates", other.upper())
    assert (found["fate"], found["arrival_count"], found["conflict_count"]) == ("DUPLICATE", 3, 2)
    assert found["row"]["page_title"] == "a"
    found = receipt(stack, "fates", wrong)
    assert (found["fate"], found["arrival_count"]) == ("REJECTED", 1)
    assert [(one["field"], one["reason"]) for one in found["violations"]] == [("event_type", "REQUIRED")]
    found = receipt(stack, "fates", str(uuid.uuid4()))
    assert (found["fate"], found["arrival_count"], found.get("received_time")) == ("NOT_SEEN", 0, None)
    assert receipt(stack, "another", once)["fate"] == "NOT_SEEN"


def test_an_acknowledged_event_is_never_not_seen(stack: Stack) -> None:
    """From the answer on, through sealing, loading and release; a rejected one as well."""
    with grpc.insecure_channel(stack.grpc_target) as channel, stack.http() as client:
        ask = QueryServiceStub(channel).GetReceipt
        fates: list[set[str]] = []
        # On a slow machine an event may be stored before the first look at it: then the next one tells.
        while len(fates) < 4 or ({"SPOOLED", "STORED"} not in fates and len(fates) < 50):
            event_id = str(uuid.uuid4())
            collect(client, "never-lost", event_id=event_id, **({"event_type": ""} if len(fates) % 2 else {}))
            seen: set[str] = set()

            def follow(event_id: str = event_id, seen: set[str] = seen) -> bool:
                # Asked before the look at the fate, so that fates are looked at until after the release.
                is_released = stack.spool_bytes() == 0
                answer = ask(pb.GetReceiptRequest(site_id="never-lost", event_id=event_id), timeout=patient(10))
                seen.add(pb.GetReceiptResponse.Fate.Name(answer.fate))
                assert answer.arrival_count == 1
                return is_released

            wait_until(follow, 30, 0.001)
            assert seen == {"REJECTED"} if len(fates) % 2 else {"STORED"} <= seen <= {"SPOOLED", "STORED"}
            fates.append(seen)
    assert {"SPOOLED", "STORED"} in fates


def test_rejected_events_by_reason_time_and_page(stack: Stack) -> None:
    """The newest first; pages join without a gap or a repetition."""
    with stack.http() as client:
        for number in range(5):
            collect(client, "letters", event_id=str(uuid.UUID(int=number, version=4)), event_type="")
        collect(client, "letters", event_id="nonsense", page_title="mail jane@gmail.com")
    wait_until_loaded(stack, "letters", 6)
    path = "/v1/sites/letters/rejected-events"
    everything = get(stack, path)["rejected_events"]
    times = [one["received_time"] for one in everything]
    assert len(everything) == 6
    # As instants: a time of a whole second is written without a fraction, and "Z" sorts after ".".
    assert times == sorted(times, key=datetime.fromisoformat, reverse=True)
    assert "jane@gmail.com" not in str(everything)
    urls = get(stack, path, reason="REQUIRED")["rejected_events"]
    assert [one["event_id"] for one in urls] == [str(uuid.UUID(int=number, version=4)) for number in range(4, -1, -1)]
    assert get(stack, path, reason="NEGATIVE_AMOUNT")["rejected_events"] == []
    assert get(stack, path, since_time="2126-01-01T00:00:00Z")["rejected_events"] == []
    assert len(get(stack, path, since_time=times[2])["rejected_events"]) >= 3
    paged, token = [], ""
    while True:
        page = get(stack, path, page_size=4, page_token=token)
        paged += page["rejected_events"]
        token = page["next_page_token"]
        if not token:
            break
    assert paged == everything


def test_many_large_dead_letters_come_page_by_page(stack: Stack) -> None:
    """No page is too long for a client with gRPC's defaults; the command lists them all."""
    number = 60
    with stack.http() as client:
        for _ in range(number):
            metadata = {f"k{index}": "x" * 1_900 for index in range(31)}
            reply = collect(client, "large", metadata=metadata, event_type="")
            assert reply.status_code == 400, reply.text
    wait_until_loaded(stack, "large", number)
    with grpc.insecure_channel(stack.grpc_target) as channel:
        page = QueryServiceStub(channel).ListRejectedEvents(
            pb.ListRejectedEventsRequest(site_id="large", page_size=1_000), timeout=patient(20)
        )
    assert 1 <= len(page.rejected_events) < number
    assert page.next_page_token
    listed = stack.command("rejected", "--site", "large", "--limit", "1000")
    assert listed.returncode == 0, listed.stderr
    assert len(listed.stdout.splitlines()) == number


@pytest.mark.parametrize(
    ("path", "parameters", "field", "reason"),
    [
        ("/v1/sites/not%20a%20site/ledger", {}, "site_id", "INVALID_FORMAT"),
        ("/v1/sites/s/receipts/nonsense", {}, "event_id", "INVALID_UUID"),
        ("/v1/sites/s/rejected-events", {"page_size": 1_001}, "page_size", "OUT_OF_RANGE"),
        ("/v1/sites/s/rejected-events", {"page_token": "x"}, "page_token", "INVALID_FORMAT"),
        ("/v1/sites/s/tail", {"limit": 1_001}, "limit", "OUT_OF_RANGE"),
        ("/v1/sites/s/tail", {"cursor": "x"}, "cursor", "INVALID_FORMAT"),
        ("/v1/sites/s/counts", {"bucket_seconds": 86_401}, "bucket_seconds", "OUT_OF_RANGE"),
        ("/v1/sites/s/counts", {"bucket_seconds": 60, "bucket": "DAY"}, "bucket_seconds", "OUT_OF_RANGE"),
        ("/v1/sites/s/counts", {"from_time": "2020-01-01T00:00:00Z"}, "from_time", "OUT_OF_RANGE"),
        ("/v1/sites/s/counts", {"bucket": "DAY", "time_zone": "Vienna"}, "time_zone", "INVALID_FORMAT"),
        ("/v1/sites/s/counts", {"page_token": "x"}, "page_token", "INVALID_FORMAT"),
        ("/v1/sites/s/funnel", {"from_time": "2126-01-01T00:00:00Z"}, "from_time", "OUT_OF_RANGE"),
        ("/v1/sites/s/funnel", {"group_by": "NAME"}, "group_by", "INVALID_ENUM"),
        ("/v1/sites/s/attribution", {"to_time": "1899-01-01T00:00:00Z"}, "from_time", "OUT_OF_RANGE"),
        ("/v1/sites/s/attribution", {"window_days": 401}, "window_days", "OUT_OF_RANGE"),
    ],
)
def test_wrong_questions_are_named(
    stack: Stack, path: str, parameters: dict[str, Any], field: str, reason: str
) -> None:
    """Field and reason."""
    assert refusal(stack, path, **parameters) == (400, field, reason)


def test_ledger_and_counts_add_up(stack: Stack) -> None:
    """received = stored + rejected + spooled, whenever one looks; counts tell unique, duplicate and fraud apart."""
    same = str(uuid.uuid4())
    balances = []
    with stack.http() as client:
        for number in range(12):
            collect(client, "sums", event_id=same if number < 3 else "", event_type="" if number > 9 else "click")
            balances += get(stack, "/v1/sites/sums/ledger")["entries"]
        client.post("/collect", json={"site_id": "sums", "event_type": "click"}, headers={"user-agent": "curl/8.5.0"})
        purchase = {"site_id": "sums", "scan_session_id": "s", "event_name": "purchase"}
        client.post("/server-events", json=purchase)
    wait_until_loaded(stack, "sums", 14)
    assert ledger_sums(stack, "sums") == {
        "received_count": 14, "stored_count": 12, "rejected_count": 2, "spooled_count": 0,
        "unique_count": 10, "duplicate_count": 2, "conflict_count": 0, "fraud_count": 1,
        "scan_received_count": 0, "scan_registered_count": 0, "scan_rejected_count": 0, "scan_spooled_count": 0,
    }  # fmt: skip
    for entry in balances:
        counts = {name: int(value) for name, value in entry.items() if name.endswith("_count")}
        assert counts["received_count"] == sum(
            counts[name] for name in ("stored_count", "rejected_count", "spooled_count")
        ), entry
    counted: dict[tuple[str, str], list[int]] = {}
    for entry in get(stack, "/v1/sites/sums/counts", bucket_seconds=60)["counts"]:
        sums = counted.setdefault((entry["source"], entry["name"]), [0, 0, 0])
        for index, name in enumerate(("unique_count", "duplicate_count", "fraud_count")):
            sums[index] += int(entry[name])
    assert counted == {("browser", "click"): [9, 2, 1], ("server", "purchase"): [1, 0, 0]}
    assert get(stack, "/v1/sites/sums/counts", to_time="2026-01-01T00:00:00Z")["counts"] == []


def test_tail_misses_and_repeats_nothing_while_events_arrive(stack: Stack) -> None:
    """Followed by its cursor from before the first event, over both workers."""
    number, senders = 240, 4
    sent = [str(uuid.uuid4()) for _ in range(number)]

    def send(part: list[str]) -> None:
        with stack.http() as client:
            for event_id in part:
                collect(client, "tailed", event_id=event_id)

    cursor = get(stack, "/v1/sites/tailed/tail")["cursor"]
    threads = [threading.Thread(target=send, args=(sent[index::senders],)) for index in range(senders)]
    for thread in threads:
        thread.start()
    seen: list[str] = []

    def follow() -> bool:
        nonlocal cursor
        answer = get(stack, "/v1/sites/tailed/tail", cursor=cursor, limit=37)
        cursor = answer["cursor"]
        seen.extend(row["event_id"] for row in answer["rows"])
        return len(seen) >= number

    wait_until(follow, 30, 0.01)
    for thread in threads:
        thread.join()
    follow()
    assert sorted(seen) == sorted(sent)
    newest = get(stack, "/v1/sites/tailed/tail", limit=10)
    assert [row["event_id"] for row in newest["rows"]] == seen[-10:]
    assert get(stack, "/v1/sites/tailed/tail", cursor=newest["cursor"]) == {"rows": [], "cursor": newest["cursor"]}


def test_funnel_follows_scans_to_money(stack: Stack) -> None:
    """By code, the most scanned first; bots are left out, sums are exact."""
    scans = [{"site_id": "funnel", "scan_session_id": f"s{n}", "qr_code_id": "a" if n < 3 else "b"} for n in range(4)]
    with stack.http() as client:
        assert client.post("/scan-sessions/batch", json={"scan_sessions": scans}).status_code == 200
        collect(client, "funnel", scan_session_id="s0")
        collect(client, "funnel", scan_session_id="s1")
        bot = {"site_id": "funnel", "event_type": "click", "scan_session_id": "s2"}
        client.post("/collect", json=bot, headers={"user-agent": "curl/8.5.0"})
        for amount in (0.1, 0.2, 1234.5):
            purchase = {"site_id": "funnel", "scan_session_id": "s0", "event_name": "purchase"}
            client.post("/server-events", json={**purchase, "conversion_value": {"amount": amount, "currency": "EUR"}})
    wait_until_loaded(stack, "funnel", 6)
    first, second = get(stack, "/v1/sites/funnel/funnel")["funnels"]
    assert {name: first[name] for name in ("qr_code_id", "scan_count", "visit_count", "conversion_count")} == {
        "qr_code_id": "a", "scan_count": "3", "visit_count": "2", "conversion_count": "1",
    }  # fmt: skip
    assert [(one["currency"], one["amount"]) for one in first["amounts"]] == [("EUR", "1234.80")]
    assert (second["qr_code_id"], second["scan_count"], second["amounts"]) == ("b", "1", [])
    [linear] = get(stack, "/v1/sites/funnel/attribution", models="linear")["attributions"]
    assert [(one["qr_code_id"], one["conversion_credit"], one["amounts"]) for one in linear["credits"]] == [
        ("a", "3.000000", [{"currency": "EUR", "amount": "1234.80"}])
    ]
    asked = {"bucket": "day", "time_zone": "Europe/Vienna", "group_by": ["qr_code", "name"], "names": "purchase"}
    counts = get(stack, "/v1/sites/funnel/counts", **asked)["counts"]
    assert [(one["qr_code_id"], one["name"], one["conversion_count"], one["is_partial"]) for one in counts] == [
        ("a", "purchase", "3", True)
    ]


MISSPELT_ERASURES: Final = {
    '{"user_id":"jane","validate_onyl":true}': ("validate_onyl", "validate_only"),
    '{"user_id":"jane","user_identifiers":{"emial_hash":"ab"}}': ("user_identifiers.emial_hash", "email_hash"),
    '{"user_id":"jane","scan_sesion_id":"s-jane"}': ("scan_sesion_id", "scan_session_id"),
}


def test_erasure_leaves_nothing_of_the_person(stack: Stack) -> None:
    """Whatever they are named by; what was counted stays counted, others stay whole."""
    email_hash = "ab" * 32
    with stack.http() as client:
        for user, session in (("jane", "s-jane"), ("john", "s-john")):
            identifiers = {"external_id": user} | ({"email_hash": email_hash} if user == "jane" else {})
            event = {"site_id": "gone", "scan_session_id": session, "event_name": "lead"}
            client.post("/server-events", json={**event, "user_identifiers": identifiers})
            collect(client, "gone", scan_session_id=session, page_url=f"https://shop.example/?u={user}")
        client.post("/server-events", json={**event, "event_id": "x", "user_identifiers": {"external_id": "jane"}})
        wait_until_loaded(stack, "gone", 5)
        for body, (path, meant) in MISSPELT_ERASURES.items():
            refused = client.post("/v1/sites/gone/erase-subject", content=body)
            [bad, *_others] = refused.json()["details"]
            description = f"is not a field here; did you mean `{meant}`?"
            assert bad["field_violations"] == [{"field": path, "reason": "UNKNOWN_FIELD", "description": description}]
            assert (refused.status_code, '"JSON_MISMATCH"' in refused.text) == (400, True)
        # Byte for byte as the transcoder answered when it read the body itself.
        dry = client.post("/v1/sites/gone/erase-subject", content='{"userId":"jane","validateOnly":true}')
        names = '","'.join(dry.json()["user_ids"])
        assert dry.text == (
            '{"event_count":"2","rejected_event_count":"1","scan_session_count":"0","identity_count":"2",'
            f'"spooled_event_count":"0","user_ids":["{names}"],"shared_identifier_count":"0",'
            '"shared_session_count":"0","erasure_id":"","validate_only":true}'
        )
        assert stack.count("site_id = 'gone' AND user_id = 'jane'") == 2, "a misspelt erasure erases nothing"
        reply = client.post(
            "/v1/sites/gone/erase-subject", json={"user_identifiers": {"email_hash": email_hash.upper()}}
        )
        assert reply.status_code == 200, reply.text
        again = client.post("/v1/sites/gone/erase-subject", json={"user_identifiers": {"email_hash": email_hash}})
        nobody = client.post("/v1/sites/gone/erase-subject", json={})
    assert int(reply.json()["event_count"]) == 2
    assert int(reply.json()["rejected_event_count"]) == 1
    assert int(again.json()["event_count"]) == 0
    assert (nobody.status_code, "say whom to erase" in nobody.text) == (400, True)
    rows = stack.query("SELECT * FROM events.valid_events WHERE site_id = 'gone' ORDER BY event_time")
    assert len(rows) == 4
    assert "jane" not in str(rows)
    assert sum(row["user_id"] == "john" for row in rows) == 2
    for table in ("identity_links", "scan_sessions", "invalid_events"):
        assert stack.count("site_id = 'gone' AND toString(tuple(*)) LIKE '%jane%'", table) == 0
