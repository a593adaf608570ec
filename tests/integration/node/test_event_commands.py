"""The commands about events as an operator types them, on the shared node, and what they say when they cannot help."""

import csv
import io
import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack import Stack, wait_until

pytestmark = pytest.mark.stack

SITE = "operated"


@pytest.fixture(scope="module")
def events(stack: Stack) -> tuple[str, str]:
    """An accepted and a rejected event of the site, loaded."""
    accepted, rejected = str(uuid.uuid4()), str(uuid.uuid4())
    with stack.http() as client:
        client.post("/scan-sessions", json={"site_id": SITE, "scan_session_id": "s-operated", "qr_code_id": "poster"})
        client.post(
            "/server-events",
            json={
                "site_id": SITE,
                "event_id": accepted,
                "scan_session_id": "s-operated",
                "event_name": "lead",
                "conversion_value": {"amount": "12.50", "currency": "EUR"},
                "user_identifiers": {"external_id": "jane"},
            },
        )
        client.post("/collect", json={"site_id": SITE, "event_id": rejected})
        wait_until(lambda: client.get(f"/v1/sites/{SITE}/receipts/{rejected}").json()["fate"] == "REJECTED")
    stack.wait_for_empty_spool()
    return accepted, rejected


def test_receipt_says_what_became_of_an_event(stack: Stack, events: tuple[str, str]) -> None:
    """As JSON with every field; the UUID in any case."""
    done = stack.command("receipt", events[0].upper(), "--site", SITE)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["fate"], answer["row"]["user_id"], answer["violations"]) == ("STORED", "jane", [])
    assert json.loads(stack.command("receipt", events[1], "--site", SITE).stdout)["fate"] == "REJECTED"


def test_rejected_lists_one_event_per_line(stack: Stack, events: tuple[str, str]) -> None:
    """By reason in lower case, by time; an empty list is not an error."""
    for options in ((), ("--reason", "required"), ("--since", "2026-01-01"), ("--limit", "1")):
        done = stack.command("rejected", "--site", SITE, *options)
        assert [json.loads(line)["event_id"] for line in done.stdout.splitlines()] == [events[1]], options
    for options in (("--reason", "too_long"), ("--since", "2126-01-01T00:00")):
        done = stack.command("rejected", "--site", SITE, *options)
        assert (done.returncode, done.stdout) == (0, ""), options


def test_ledger_as_table_and_lines(stack: Stack, events: tuple[str, str]) -> None:
    """A sum below the columns; exit code 0 where it balances."""
    table = stack.command("ledger", "--site", SITE, "--format", "table")
    assert table.returncode == 0, table.stderr
    for word in ("minute", "received", "spooled", "all"):
        assert word in table.stdout
    [line] = stack.command("ledger", "--site", SITE, "--format", "json").stdout.splitlines()[:1]
    assert {"minute_time", "received_count", "conflict_count"} <= json.loads(line).keys()
    empty = stack.command("ledger", "--site", SITE, "--since", "2126-01-01", "--format", "json")
    assert (empty.returncode, empty.stdout) == (0, "")


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        (
            ("counts", "--bucket", "day", "--time-zone", "Europe/Vienna"),
            {"source": "server", "name": "lead", "unique_count": 1},
        ),
        (
            ("counts", "--by", "country", "--by", "qr_code", "--bucket", "whole"),
            {"qr_code_id": "poster", "conversion_count": 1},
        ),
        (("funnel",), {"qr_code_id": "poster", "scan_count": 1, "conversion_count": 1, "EUR": "12.50"}),
        (("attribution", "--model", "first"), {"model": "first", "qr_code_id": "poster", "EUR": "12.50"}),
        (("tail",), {"source": "server", "event_name": "lead", "user_id": "jane"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_numbers_as_lines_and_tables(
    stack: Stack, events: tuple[str, str], command: tuple[str, ...], meant: dict[str, Any]
) -> None:
    """The same numbers as JSON, as CSV and as a table; scans that are told apart by source are a row of their own."""
    lines = stack.command(*command, "--site", SITE, "--format", "json")
    assert lines.returncode == 0, lines.stderr
    [row] = [line for line in map(json.loads, lines.stdout.splitlines()) if line.get("source") != "scan"]
    assert {name: row[name] for name in meant} == meant
    found = csv.DictReader(io.StringIO(stack.command(*command, "--site", SITE, "--format", "csv").stdout))
    [read] = [line for line in found if line.get("source") != "scan"]
    assert {name: read[name] for name in meant} == {name: str(value) for name, value in meant.items()}
    table = stack.command(*command, "--site", SITE, "--format", "table").stdout
    assert [value for value in meant.values() if str(value) not in table] == []


def test_questions_without_an_answer(stack: Stack, events: tuple[str, str]) -> None:
    """Nothing in the range is said; what cannot be asked is refused in words."""
    empty = stack.command("counts", "--site", SITE, "--until", "2026-01-02", "--format", "table")
    assert (empty.returncode, empty.stdout, empty.stderr) == (0, "", "nothing in this range\n")
    wrong = stack.command("funnel", "--site", SITE, "--time-zone", "Vienna")
    assert wrong.returncode == 1
    assert "IANA" in wrong.stderr


def test_erase_says_what_it_found(stack: Stack, events: tuple[str, str]) -> None:
    """An unknown person is not an error."""
    dry = stack.command("erase", "--site", SITE, "--external-id", "nobody-knows", "--dry-run")
    done = stack.command("erase", "--site", SITE, "--external-id", "nobody-knows")
    assert (dry.returncode, done.returncode) == (0, 0), dry.stderr + done.stderr
    said, looked = json.loads(done.stdout), json.loads(dry.stdout)
    assert {name: int(value) for name, value in said.items() if name.endswith("_count")} == {
        "event_count": 0,
        "spooled_event_count": 0,
        "rejected_event_count": 0,
        "scan_session_count": 0,
        "identity_count": 0,
        "shared_identifier_count": 0,
        "shared_session_count": 0,
    }
    assert said["user_ids"] == ["nobody-knows"]
    assert uuid.UUID(said["erasure_id"])
    assert (looked.pop("validate_only"), looked.pop("erasure_id")) == (True, "")
    assert looked.items() <= said.items()


def test_a_raw_address_or_number_is_hashed_before_it_is_asked_for(stack: Stack, events: tuple[str, str]) -> None:
    """And said nowhere, least of all where it is none."""
    found = stack.command("erase", "--site", SITE, "--email", "mailto:Jane@Shop.Example", "--phone", "0043 660/1234567")
    assert found.returncode == 0, found.stderr
    assert sorted(name.partition("-")[0] for name in json.loads(found.stdout)["user_ids"]) == ["email", "phone"]
    wrong = stack.command("erase", "--site", SITE, "--email", "jane at home")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "--email is not an e-mail address" in wrong.stderr
    assert "jane" not in wrong.stderr
    wrong = stack.command("erase", "--site", SITE, "--phone", "0660 1234567")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "--phone is not an international number: it needs + or 00" in wrong.stderr
    assert "0660" not in wrong.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("receipt", "nonsense", "--site", SITE), 1, "must be the UUID of an event"),
        (("receipt", str(uuid.UUID(int=1)), "--site", "not a site"), 1, "1 to 64 characters"),
        (("receipt", str(uuid.UUID(int=1)), "--site", "operatde"), 1, "operatde: no such site is in "),
        (("rejected", "--site", "operatde"), 1, "operatde: no such site is in "),
        (("replay", "--site", "operatde"), 1, "operatde: no such site is in "),
        (("rescore", "--site", "operatde", "--since", "2026-01-01"), 1, "operatde: no such site is in "),
        (("erase", "--site", "operatde", "--user-id", "jane"), 1, "operatde: no such site is in "),
        (("ledger", "--site", "operatde"), 1, "operatde: no such site is in "),
        (("ledger", "--site", "operatde'; DROP"), 1, "operatde'; DROP: no such site is in "),
        (("rejected", "--reason", "bad_luck"), 1, "bad_luck: no such reason; the reasons are required, too_long,"),
        (("replay", "--reason", "bad_luck"), 1, "bad_luck: no such reason"),
        (("rejected", "--since", "yesterday"), 2, "'yesterday' does not match the formats"),
        (("rescore", "--site", SITE), 2, "Missing option '--since'"),
        (("erase", "--site", SITE), 1, "say whom to erase"),
        (("erase", "--site", SITE, "--email-hash", "jane"), 1, "must be a SHA-256 as 64 hex digits"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_mistakes_are_one_line(
    stack: Stack, events: tuple[str, str], arguments: tuple[str, ...], code: int, said: str
) -> None:
    """What is wrong and what would be right; no traceback."""
    done = stack.command(*arguments)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [("receipt", str(uuid.UUID(int=1))), ("replay",), ("ledger",)], ids=lambda c: c[0])
def test_without_a_node_the_command_says_how_to_start_one(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Where it looked, and what to do."""
    done = Stack(tmp_path / "none").command(*command)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"no node runs in {tmp_path / 'none'}; start one with `qrumb serve`, or set DATA_DIR" in done.stderr
