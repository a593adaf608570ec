"""What a node makes of the requests that reach a QR redirect: marks, counts, and what is not kept; all ways in.

The profiles are tests/golden/scan_profiles.yaml. Every second one sends its visit before its registration.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from google.protobuf.json_format import ParseDict

from qrumb.v1 import scan_session_service_pb2 as pb
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb.v1.scan_session_service_pb2_grpc import ScanSessionServiceStub
from tests.support.patience import patient
from tests.support.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("unharmed")]

SITE = "profiles"
CROWD = "crowd"
IN_CROWD = 500
# More events of one address within a minute than are believed of one that has no registered sessions.
PAGES = 3
PROFILES: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).resolve().parents[2] / "golden" / "scan_profiles.yaml").read_text(encoding="utf-8")
)
COUNTS = {
    "scan": ("1", "0", "0"),
    "confirmed": ("1", "0", "1"),
    "suspect": ("0", "1", "0"),
}
"""scan_count, suspect_scan_count and confirmed_scan_count."""
NAMES = ("scan_count", "suspect_scan_count", "confirmed_scan_count")
ADDRESS = "198.51.100.77"


def session_of(number: int, profile: Mapping[str, Any]) -> dict[str, Any]:
    """The registration of a profile, each of a code of its own."""
    names = {"site_id": SITE, "scan_session_id": f"p-{number}", "qr_code_id": f"code-{number}"}
    return {"client_ip": ADDRESS, **profile["scan"], **names}


def visit(stack: Stack, number: int, headers: Mapping[str, str]) -> None:
    """The pageview that the landing's tag sends."""
    event = {"site_id": SITE, "event_type": "pageview", "scan_session_id": f"p-{number}"}
    with stack.http() as client:
        assert client.post("/collect", json=event, headers=dict(headers)).status_code == 200


def register(stack: Stack, number: int, session: dict[str, Any]) -> None:
    """By turns as JSON, as a batch of JSON, over gRPC through the gateway, and over gRPC directly."""
    if number % 4 < 2:
        path, body = (("", session), ("/batch", {"scan_sessions": [session]}))[number % 4]
        with stack.http() as client:
            reply = client.post(f"/scan-sessions{path}", json=body)
        assert (reply.status_code, reply.json()["warnings"]) == (200, []), reply.text
        return
    target = stack.grpc_target if number % 4 == 2 else stack.url.removeprefix("http://")
    with grpc.insecure_channel(target) as channel:
        request = pb.RegisterScanSessionRequest(scan_session=ParseDict(session, ScanSession()))
        ScanSessionServiceStub(channel).RegisterScanSession(request, timeout=patient(10))


def test_every_profile_is_marked_and_counted_as_it_should(stack: Stack) -> None:
    """In both orders; a profile counts for its code alone. Then what the tables, the funnel and the counts say."""
    for number, profile in enumerate(PROFILES):
        visits_first = number % 2 == 0 and "visit" in profile
        if visits_first:
            visit(stack, number, profile["visit"])
        register(stack, number, session_of(number, profile))
        if "visit" in profile and not visits_first:
            visit(stack, number, profile["visit"])
    # A stadium: each with the same address, registered and visiting within seconds.
    agent = PROFILES[0]["scan"]["user_agent"]
    phones = [
        {"site_id": SITE, "scan_session_id": f"c-{n}", "qr_code_id": CROWD, "user_agent": agent, "client_ip": ADDRESS}
        for n in range(IN_CROWD)
    ]
    pageviews = [
        {"site_id": SITE, "event_type": "pageview", "scan_session_id": one["scan_session_id"], "consent": "granted"}
        for one in phones
    ]
    with stack.http() as client:
        assert client.post("/scan-sessions/batch", json={"scan_sessions": phones}).status_code == 200
        for _ in range(PAGES):
            reply = client.post("/collect/batch", json={"events": pageviews}, headers={"user-agent": agent})
            assert reply.status_code == 200
        stack.wait_for_empty_spool()
        funnels = client.get(f"/v1/sites/{SITE}/funnel").json()["funnels"]
        said = {one["qr_code_id"]: one for one in funnels}
        counts = client.get(f"/v1/sites/{SITE}/counts", params={"group_by": "QR_CODE", "bucket": "WHOLE"}).json()
        [total] = client.get(f"/v1/sites/{SITE}/counts?group_by=SOURCE&bucket=WHOLE&sources=scan").json()["counts"]
        ledger = client.get(f"/v1/sites/{SITE}/ledger").json()["entries"]
    counted = {one["qr_code_id"]: tuple(one[name] for name in NAMES) for one in counts["counts"]}
    rows = {
        row["scan_session_id"]: row
        for row in stack.query(
            "SELECT scan_session_id, arrayStringConcat(fraud_reasons, ' ') AS marks, device_type "
            f"FROM events.scan_sessions FINAL WHERE site_id = '{SITE}'"
        )
    }
    for number, profile in enumerate(PROFILES):
        code, marks = f"code-{number}", profile.get("marks", [])
        found = tuple(said[code][name] for name in NAMES)
        assert (profile["name"], found) == (profile["name"], COUNTS[profile["is"]])
        assert counted[code] == found, profile["name"]
        reasons = [one["reason"] for one in said[code]["suspect_reasons"]]
        assert reasons == (marks if profile["is"] == "suspect" else []), profile["name"]
        row = rows[f"p-{number}"]
        assert (row["marks"].split(), row["device_type"]) == (marks, profile.get("device", "")), profile["name"]
    assert tuple(said[CROWD][name] for name in NAMES) == (str(IN_CROWD), "0", str(IN_CROWD))
    assert stack.count(f"site_id = '{SITE}' AND qr_code_id = '{CROWD}'") == PAGES * IN_CROWD
    assert stack.count(f"site_id = '{SITE}' AND qr_code_id = '{CROWD}' AND is_fraud = 1") == 0
    suspects = sum(profile["is"] == "suspect" for profile in PROFILES)
    assert (int(total["scan_count"]), int(total["suspect_scan_count"])) == (
        IN_CROWD + len(PROFILES) - suspects,
        suspects,
    )
    sums = {
        name: sum(int(entry.get(f"scan_{name}_count", 0)) for entry in ledger) for name in ("received", "registered")
    }
    assert sums == {"received": IN_CROWD + len(PROFILES), "registered": IN_CROWD + len(PROFILES)}
    assert stack.command("ledger", "--site", SITE).returncode == 0
    assert stack.command("ledger", "--verify").returncode == 0
    shown = stack.command("funnel", "--site", SITE, "--format", "csv").stdout.splitlines()
    assert shown[0].split(",")[:5] == ["qr_code_id", *NAMES, "visit_count"]


def test_address_and_agent_are_nowhere(stack: Stack) -> None:
    """No table and no log holds them."""
    agent = "Mozilla/5.0 (Linux; Android 10; K) Nowhere/987.6 Mobile"
    with stack.http() as client:
        session = {"site_id": "nowhere", "scan_session_id": "gone", "qr_code_id": "gone", "user_agent": agent}
        reply = client.post("/scan-sessions", json={**session, "client_ip": "198.51.100.201"})
    assert reply.status_code == 200
    assert not any(map(reply.json()["scan_session"].get, ("client_ip", "user_agent", "client_hints")))
    stack.wait_for_empty_spool()
    [row] = stack.query("SELECT * FROM events.scan_sessions FINAL WHERE scan_session_id = 'gone'")
    for text in ("198.51.100.201", "987.6"):
        assert text not in str(row)
        assert text not in stack.log()
