"""What browsers may do: send events of a known site from its own pages, and learn nothing about other people."""

from typing import Any

import pytest

from qrumb import sign_scan_session_id
from tests.integration.access.conftest import Keys, made
from tests.support.stack import Stack, wait_until

pytestmark = pytest.mark.stack

EVENT = {"site_id": "shop", "event_type": "pageview"}
IMAGE = "/collect.gif?site_id=shop&event_type=pageview"
ORIGINS = (
    (None, 200),
    ("https://shop.example", 200),
    ("https://www.shop.example", 200),
    ("https://other.example", 403),
    ("https://shop.example.evil.example", 403),
    ("http://shop.example", 403),
    ("null", 403),
)


@pytest.mark.parametrize(("origin", "status"), ORIGINS)
def test_origins(stack: Stack, origin: str | None, status: int) -> None:
    """For one event, a batch and the pixel; the page can read why it was refused."""
    headers = {"origin": origin} if origin else {}
    with stack.http() as client:
        answers = [
            client.post("/collect", json=EVENT, headers=headers),
            client.post("/collect/batch", json={"events": [EVENT, EVENT]}, headers=headers),
            client.get(IMAGE, headers=headers),
        ]
    for answer in answers:
        assert answer.status_code == status
        if status == 403:
            assert [detail["reason"] for detail in answer.json()["details"]] == ["ORIGIN_NOT_ALLOWED"]
        if origin:
            assert answer.headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize(
    ("referer", "status"),
    [
        ("https://shop.example/", 200),
        ("https://www.shop.example/a?b=c#d", 200),
        ("HTTPS://Shop.Example", 200),
        ("https://other.example/https://shop.example/", 403),
        ("", 200),
    ],
)
def test_an_image_is_told_by_where_it_is_from(stack: Stack, referer: str, status: int) -> None:
    """Browsers state no origin for one, and as a rule the page's in Referer. An origin that is stated counts more."""
    with stack.http() as client:
        assert client.get(IMAGE, headers={"referer": referer}).status_code == status
        both = {"referer": referer, "origin": "https://shop.example"}
        assert client.get(IMAGE, headers=both).status_code == 200


def test_an_unknown_site(stack: Stack) -> None:
    """Nothing of it is kept: names can be made up."""
    with stack.http() as client:
        answers = [
            client.post("/collect", json={"site_id": "shup", "event_type": "click"}),
            client.post("/collect/batch", json={"events": [EVENT, {"site_id": "shup"}]}),
            client.get("/collect.gif?site_id=shup"),
        ]
    for answer in answers:
        assert answer.status_code == 403
        assert [detail["reason"] for detail in answer.json()["details"]] == ["SITE_UNKNOWN"]
    stack.wait_for_empty_spool()
    assert stack.count("site_id = 'shup'") == 0
    assert stack.count("site_id = 'shup'", "invalid_events") == 0


def test_a_dry_run_tells_who_a_visitor_is_to_the_site_alone(stack: Stack, keys: Keys) -> None:
    """A session's id, seen in a link, must not tell whose session it is."""
    session = {"site_id": "shop", "scan_session_id": "dry-scan", "qr_code_id": "poster", "user_id": "customer-7"}
    event = {**EVENT, "scan_session_id": "dry-scan"}

    def rows(key: str) -> list[dict[str, Any]]:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        with stack.http() as client:
            answers = [
                client.post("/collect?validate_only=true", json=event, headers=headers),
                client.post("/validate/browser-event", json=event, headers=headers),
            ]
            batch = client.post(
                "/collect/batch", json={"events": [event], "validate_only": True}, headers=headers
            ).json()["rows"]
        return [*(answer.json()["row"] for answer in answers), *batch]

    with stack.http() as client:
        registered = client.post("/scan-sessions", json=session, headers={"authorization": f"Bearer {keys.collect}"})
        assert registered.status_code == 200
    wait_until(lambda: rows(keys.query)[0]["qr_code_id"] == "poster")
    assert {(row["qr_code_id"], row["user_id"]) for row in rows(keys.query)} == {("poster", "customer-7")}
    for key in ("", keys.other, keys.expired, keys.unknown):
        assert {(row["qr_code_id"], row["user_id"]) for row in rows(key)} == {("", "")}


def test_signed_scan_sessions(stack: Stack, keys: Keys) -> None:
    """A site that signs: what its redirect did not sign is marked, from browsers; backends are believed."""
    made(stack, "add", "signing", "--origin", "https://signing.example")
    secrets = [made(stack, "session-secret", "signing") for _ in range(2)]
    key = made(stack, "key", "signing")
    good = [sign_scan_session_id(secret, "signing", f"scan-{at}") for at, secret in enumerate(secrets)]
    forged = [
        "scan-9",
        good[0][:-1] + ("A" if good[0][-1] != "A" else "B"),
        sign_scan_session_id(secrets[0], "shop", "x"),
    ]
    browser = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"}
    with stack.http() as client:
        tried = {"site_id": "signing", "event_type": "click"}
        # Each worker reads the file at its own moment.
        wait_until(
            lambda: all(client.post("/collect?validate_only=true", json=tried).is_success for _ in range(20)),
        )
        for session in (*good, *forged, ""):
            event = {"site_id": "signing", "event_type": "click", "scan_session_id": session}
            assert client.post("/collect", json=event, headers=browser).status_code == 200
        backend = {"site_id": "signing", "event_name": "lead", "scan_session_id": "scan-9"}
        assert (
            client.post("/server-events", json=backend, headers={"authorization": f"Bearer {key}"}).status_code == 200
        )
    stack.wait_for_rows(7, "site_id = 'signing'")
    rows = stack.query("SELECT scan_session_id AS id, fraud_reasons AS why, source FROM events.valid_events "
                       "WHERE site_id = 'signing'")  # fmt: skip
    assert {row["id"] for row in rows if row["why"] == ["forged_session"]} == set(forged)
    assert {row["id"] for row in rows if row["why"] == []} == {*good, "", "scan-9"}
