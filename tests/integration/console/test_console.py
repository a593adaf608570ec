"""The console in a real Chromium, over a real node: one visit, console/test/chromium/run.mjs, and what it saw."""

import csv
import io
import json
import os
import subprocess
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.integration.console.conftest import PLANNED, SITE, key_of
from tests.support.javascript import chromium, run_node
from tests.support.patience import patient
from tests.support.stack import Stack, wait_until

# The days of the page and those of the tables are looked at one after the other: no midnight may come between.
ZONE = "Europe/Vienna" if 1 <= datetime.now(ZoneInfo("Europe/Vienna")).hour < 23 else "America/Vancouver"
STEP_SECONDS = 20
VISIT_SECONDS = 240
pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(VISIT_SECONDS + 120)]
Rows = list[dict[str, Any]]
# As the page counts: what is not a copy and not suspect.
COUNTED = f"site_id = '{SITE}' AND is_duplicate = 0 AND is_fraud = 0"


@pytest.fixture(scope="package")
def tables(node: Stack) -> dict[str, Rows]:
    """The sessions and the counted events as they stand in the tables before the visit."""
    since = f"toDate(now(), '{ZONE}') - 29"
    return {
        "sessions": node.query(
            f"SELECT qr_code_id, scan_session_id, toDate(scan_time, '{ZONE}') >= {since} AS is_now, "
            f"toDate(scan_time, '{ZONE}') AS day FROM events.scan_sessions FINAL WHERE empty(fraud_reasons)"
        ),
        "events": node.query(
            "SELECT scan_session_id, source, event_name, toString(conversion_value) AS amount, "
            f"conversion_currency AS currency FROM events.valid_events WHERE {COUNTED}"
        ),
    }


@pytest.fixture(scope="package")
def seen(node: Stack, package: Path, tables: dict[str, Rows]) -> dict[str, Any]:
    """One visit; the node is killed when it says so, and is started again."""
    narrow, wide = (
        node.command("sites", "key", SITE, *scopes).stdout.strip()
        for scopes in ((), ("--scope", "query", "--scope", "admin"))
    )
    command = ["node", "test/chromium/run.mjs", node.url, SITE, key_of(node), narrow, wide]
    environment = {
        **os.environ,
        "TIME_ZONE": ZONE,
        "CHROMIUM": chromium(),
        "STEP_MS": str(int(1000 * patient(STEP_SECONDS))),
    }
    said = subprocess.PIPE
    with subprocess.Popen(command, cwd=package, env=environment, stdin=said, stdout=said, text=True) as visit:
        assert visit.stdin is not None
        assert visit.stdout is not None
        line = visit.stdout.readline()
        if line == "kill\n":
            node.kill_all()
            assert visit.stdout.readline() == "away\n"
            node.start()
            visit.stdin.write("back\n")
            visit.stdin.flush()
            line = visit.stdout.readline()
        found: dict[str, Any] = json.loads(line)
    assert "failed" not in found, found["failed"]
    return found


def sessions_of(tables: dict[str, Rows], *, is_now: bool = True) -> Rows:
    return [row for row in tables["sessions"] if bool(row["is_now"]) is is_now]


def numbers_of(sessions: Rows, events: Rows) -> dict[str, Any]:
    """Scans, visits, conversions and amounts of these sessions."""
    ids = {row["scan_session_id"] for row in sessions}
    own = [row for row in events if row["scan_session_id"] in ids]
    bought = [row for row in own if row["source"] == "server"]
    amounts: Counter[str] = Counter()
    for row in bought:
        amounts[row["currency"]] += Decimal(row["amount"])  # type: ignore[assignment]
    return {
        "scan_count": len(sessions),
        "visit_count": len({row["scan_session_id"] for row in own if row["source"] == "browser"}),
        "conversion_count": len({row["scan_session_id"] for row in bought if row["event_name"] != "refund"}),
        **{f"amount-{currency}": amount for currency, amount in amounts.items()},
    }


def money(amount: Decimal, currency: str) -> str:
    return f"{amount:,.2f} {currency}"


def test_nothing_went_wrong_in_the_browser(seen: dict[str, Any]) -> None:
    """No error of a script or of the console, nothing that the policy forbade, nothing serious for axe."""
    assert seen["wrong"] == []
    assert seen["axe"] == []
    assert seen["wide"] == []


def test_a_key_lets_in_and_only_one_with_the_scope(seen: dict[str, Any], node: Stack) -> None:
    assert "scope query" in seen["narrow"]
    assert seen["storage"] == 0
    assert "qk_" not in seen["address"]


def test_the_numbers_of_qr_codes_are_those_of_the_tables(seen: dict[str, Any], tables: dict[str, Rows]) -> None:
    events = tables["events"]
    whole = numbers_of(sessions_of(tables), events)
    assert whole["scan_count"] > 60
    shown = {name: Decimal(text.split()[0].replace(",", "")) for name, text in seen["tiles"].items()}
    assert shown == {name: Decimal(value) for name, value in whole.items()}
    by_code = {
        code: numbers_of([row for row in sessions_of(tables) if row["qr_code_id"] == code], events)
        for code in ("poster-7", "flyer-2", "table-12")
    }
    for code, scans, *_others, visits, conversions, _rate, revenue in seen["codes"]:
        own = by_code.pop(code)
        assert [int(scans), int(visits), int(conversions)] == [
            own[f"{name}_count"] for name in ("scan", "visit", "conversion")
        ]
        assert revenue == ", ".join(money(own[name], name[-3:]) for name in sorted(own) if name.startswith("amount"))
    assert by_code == {}


def test_series_file_and_shares_agree_with_the_tables(seen: dict[str, Any], tables: dict[str, Rows]) -> None:
    days = Counter(row["day"] for row in sessions_of(tables))
    assert len(seen["series"]) == 30
    assert [int(scans) for _day, scans, *_others in seen["series"] if scans != "0"] == [
        days[day] for day in sorted(days)
    ]
    rows = {row["qr_code_id"]: row for row in csv.DictReader(io.StringIO(seen["csv"]))}
    for is_now, ending in ((True, ""), (False, "_before")):
        for code, row in rows.items():
            own = numbers_of(
                [one for one in sessions_of(tables, is_now=is_now) if one["qr_code_id"] == code], tables["events"]
            )
            assert int(row[f"scans{ending}"]) == own["scan_count"]
            assert int(row[f"confirmed{ending}"]) == own["visit_count"]
            assert Decimal(row[f"EUR{ending}"]) == own.get("amount-EUR", 0)
    # Each conversion of the shop has one scan that led to it, its own session's, if that was in the last 30 days.
    codes = {row["scan_session_id"]: row["qr_code_id"] for row in sessions_of(tables)}
    credits_due = Counter(
        codes.get(row["scan_session_id"], "no known scan")
        for row in tables["events"]
        if row["source"] == "server" and row["event_name"] != "refund"
    )
    assert {code: int(number) for code, number, *_others in seen["credits"]} == credits_due


def test_filters_stand_in_the_address(seen: dict[str, Any]) -> None:
    assert seen["chosen"] == {"site": SITE, "code": "poster-7", "range": "7d", "model": "FIRST"}
    assert seen["filtered"] == {"site": SITE, "text": "unregistered"}
    assert len(seen["rejected"]) == 4
    assert all("Rejected" in line for line in seen["rejected"])


def test_a_rejected_event_is_replayed_by_a_key_that_may(seen: dict[str, Any], node: Stack) -> None:
    """The console tries it first; the row is there once, and the event no rejected one any more."""
    assert "scope admin" in seen["replay"]["refused"]
    assert seen["replay"]["still"].startswith("The rules of today reject it too")
    assert seen["replay"]["tried"].startswith("The rules of today accept it")
    assert seen["replay"]["done"].startswith("It is stored now")
    assert node.count(f"site_id = '{SITE}' AND event_type = '{PLANNED}'") == 1


def test_suspect_scans_stand_apart_with_their_reasons(seen: dict[str, Any], node: Stack) -> None:
    reasons = node.query(
        "SELECT arrayJoin(fraud_reasons) AS reason, toString(count()) AS number FROM events.scan_sessions FINAL "
        f"WHERE site_id = '{SITE}' GROUP BY reason"
    )
    assert sorted(seen["suspects"]) == sorted([row["reason"], row["number"]] for row in reasons)
    assert ["bot", "3"] in seen["suspects"]


def test_what_was_not_stored_is_named_and_registrations_balance(seen: dict[str, Any], node: Stack) -> None:
    """Unknown fields by name, as the rows have them; the ledger of scans."""
    unknown = node.query(
        "SELECT arrayJoin(unknown_fields) AS name, toString(count()) AS number FROM events.valid_events "
        f"WHERE site_id = '{SITE}' GROUP BY name"
    )
    assert seen["unknown"] == [[row["name"], row["number"]] for row in unknown] == [["colour", "1"]]
    [row] = node.query(f"SELECT sum(scan_received_count) AS number FROM events.ledger WHERE site_id = '{SITE}'")
    number = f"{int(row['number']):,}"
    said = f"Registrations of scans balance: {number} received = {number} registered + 0 rejected + 0 in the spool."
    assert seen["registrations"] == said


def test_alarms_stand_with_their_numbers_and_what_was_not_told(seen: dict[str, Any], node: Stack) -> None:
    """As `qrumb watch` says."""
    [said] = [json.loads(line) for line in node.command("watch", "--site", SITE).stdout.splitlines() if "rule" in line]
    assert said["state"] == "alarm"
    assert f"many are suspect since {datetime.now(ZoneInfo(ZONE)):%-d} " in seen["alarms"]
    assert said["text"] in seen["alarms"]
    assert "1 message about them was not taken by the receiver yet: ConnectError" in seen["alarms"]


def test_another_site_is_chosen_on_the_live_page(seen: dict[str, Any]) -> None:
    """A key is of one site, so the node asks for another one."""
    assert seen["otherSite"]["site"] == "elsewhere"
    assert "not of the site" in seen["otherSite"]["said"]


def test_what_arrives_during_a_pause_is_held_back(seen: dict[str, Any]) -> None:
    assert seen["heldBack"] == 0


def test_a_pasted_text_is_judged_in_place_and_can_be_sent(seen: dict[str, Any], node: Stack) -> None:
    assert seen["mark"]["marked"] == ['"consent": "perhaps"']
    assert seen["path"] == "/e"
    assert seen["mark"]["finding"].startswith("INVALID_ENUM consent:")
    wait_until(lambda: node.count(f"event_id = '{seen['sent']}' AND event_type = 'from_console'") == 1)


def test_a_flood_leaves_the_page_usable(seen: dict[str, Any]) -> None:
    assert "5,000" in seen["flood"]["kept"]
    assert seen["flood"]["shown"] == 200


def test_a_node_that_is_not_ready_says_why_itself(seen: dict[str, Any]) -> None:
    assert "Since" in seen["notReady"]
    assert seen["notReady"].count("the disk of the spool is full") == 2
    assert "Everything works" not in seen["notReady"]
    assert seen["waiting"] == (
        "27 accepted events of this node are on disk and no rows yet: ClickHouse takes no rows at the moment."
    )


def test_an_outage_is_said_and_takes_no_row_away(seen: dict[str, Any]) -> None:
    assert seen["rowsWhileAway"] == 0


@pytest.mark.screenshots
def test_screenshots(node: Stack, package: Path, tmp_path: Path) -> None:
    """Each is made without an error; small enough for git."""
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    key = key_of(node)
    done = run_node(
        package,
        "test/chromium/shoot.mjs",
        node.url,
        SITE,
        str(folder),
        seconds=VISIT_SECONDS,
        KEY=key,
        CHROMIUM=chromium(),
    )
    assert done.returncode == 0, done.stderr
    assert all(picture.stat().st_size < 150_000 for picture in folder.glob("console-*.png"))
