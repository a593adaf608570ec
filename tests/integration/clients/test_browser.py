"""The browser tag in a real Chromium, on pages of another origin: ClickHouse has exactly what happened there.

The scenarios are clients/browser/test/browsers/scenarios.mjs; each is a site of its own that has its pages' origin.
Rows marked as duplicates are left out: Chromium itself may repeat a call that is under way when its page ends.
The same in a real Firefox is a long test (`make clients-test`): it takes a minute.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from qrumb_server.access.registry import LOOK_INTERVAL_SECONDS
from tests.integration.clients.conftest import write_down
from tests.support.client_front import Front, load_cases
from tests.support.javascript import ROOT, browser_path, built_package, run_node
from tests.support.stack import Stack, running_stack, wait_until

SCENARIOS = ROOT / "clients/browser/test/browsers/scenarios.mjs"
SCENARIO_SECONDS = 180
pytestmark = [pytest.mark.stack, pytest.mark.timeout(SCENARIO_SECONDS + 180)]
Rows = list[dict[str, Any]]


CASES_SITE = "cases"
FAMILIES = {"chromium": "Chrome", "firefox": "Firefox"}


@pytest.fixture(scope="module", params=["chromium", pytest.param("firefox", marks=pytest.mark.long)])
def browser(request: pytest.FixtureRequest) -> dict[str, str]:
    """What run.mjs and cases.mjs are told of it."""
    name: str = request.param
    return {"BROWSER": name, name.upper(): browser_path(name)}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, browser: dict[str, str]) -> Iterator[Stack]:
    """A node that asks for origins and keys, with a site for each scenario beside its own `demo`."""
    built_package("browser")
    with running_stack(tmp_path_factory.mktemp("browser") / "data", QRUMB_ACCESS="keys", QRUMB_WORKERS="1") as running:
        with (running.data_dir / "sites.toml").open("a") as sites:
            sites.write("".join(f"[{site}]\norigins = ['{origin}']\n" for site, origin in site_origins().items()))
        time.sleep(LOOK_INTERVAL_SECONDS)  # the next question looks into the file first
        yield running


def site_origins() -> dict[str, str]:
    """The pages of a sandboxed frame have no origin, and say so."""
    names = re.findall(r"^  async (\w+)\(", SCENARIOS.read_text(encoding="utf-8"), re.MULTILINE)
    return dict.fromkeys([*names, CASES_SITE], "http://127.0.0.1:*") | {"sandboxed": "null"}


@pytest.fixture(scope="module")
def shop(stack: Stack) -> Iterator[str]:
    """The example shop's address; its key is in QRUMB_KEY, as its README says."""
    command = [sys.executable, "examples/shop.py", "--collector", stack.url, "--grpc", stack.grpc_target, "--port", "0"]
    environment = {**os.environ, "QRUMB_KEY": (stack.data_dir / "demo.key").read_text().strip()}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().removeprefix("shop: ").partition("/codes")[0]
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def found(stack: Stack, shop: str, browser: dict[str, str]) -> dict[str, Any]:
    """One run of all scenarios: what each page knew."""
    script = ("test/browsers/run.mjs", stack.url)
    done = run_node(built_package("browser"), *script, seconds=SCENARIO_SECONDS, SHOP=shop, **browser)
    assert done.returncode == 0, done.stdout + done.stderr
    stack.wait_for_empty_spool()
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.fixture
def rows(stack: Stack, found: dict[str, Any], request: pytest.FixtureRequest) -> Rows:
    """Rows of the site that the test is named after (test_SITE__promise), in the order of their time."""
    site = request.node.name.removeprefix("test_").split("__")[0]
    return stack.query(
        "SELECT event_id, event_type, page_url, page_title, referrer, scan_session_id, metadata, consent, device_type, "
        "browser_family, toUnixTimestamp64Milli(event_time) AS time, is_fraud, fraud_reasons FROM events.valid_events "
        f"WHERE site_id = '{site}' AND is_duplicate = 0 ORDER BY event_time, event_id"
    )


def told(rows: Rows) -> list[tuple[str, dict[str, Any]]]:
    """Types and metadata."""
    return [(row["event_type"], json.loads(row["metadata"])) for row in rows]


def test_the_shared_cases(stack: Stack, front: Front, browser: dict[str, str]) -> None:
    """Those that are a tag's, on pages with the front and with a node; the others are named with a reason."""
    script = ("test/browsers/cases.mjs", front.http_url, front.control_url, stack.url, CASES_SITE)
    done = run_node(built_package("browser"), *script, seconds=SCENARIO_SECONDS, **browser)
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes: dict[str, dict[str, dict[str, Any]]] = json.loads(done.stdout)
    assert {file: set(cases) for file, cases in outcomes.items()} == {
        file: {case["name"] for case in load_cases(file)} for file in ("delivery", "node")
    }
    words = {"passed": "passed", "failed": "failed", "left_out": "skipped"}
    for file, cases in outcomes.items():
        for case, outcome in cases.items():
            [word] = outcome
            write_down(f"Tag in {browser['BROWSER'].title()}", file, case, words[word])
    failed = {case: outcome for cases in outcomes.values() for case, outcome in cases.items() if "failed" in outcome}
    assert failed == {}
    assert sum("passed" in outcome for cases in outcomes.values() for outcome in cases.values()) >= 14


def test_journey__everything_that_a_visitor_does_is_an_event(
    rows: Rows, found: dict[str, Any], browser: dict[str, str]
) -> None:
    assert told(rows) == [
        ("pageview", {}),
        ("click", {"name": "add_to_cart", "item": "42"}),
        ("size_chosen", {"size": 42, "colours": ["red", None], "nested": {"yes": True}}),
        ("pageview", {}),
        ("pageview", {}),
        ("form_submit", {"form_id": "contact", "form_name": "contact-form", "action": "/journey/thanks"}),
        ("pageview", {}),
    ]
    assert rows[2]["event_id"] == found["journey"]["own"]
    assert {row["scan_session_id"] for row in rows} == {"scan-j"}
    assert {row["browser_family"] for row in rows} == {FAMILIES[browser["BROWSER"]]}
    assert {row["device_type"] for row in rows} == {"desktop"}
    assert [row["fraud_reasons"] for row in rows] == [[]] * len(rows)


def test_journey__urls_tell_the_way_and_never_the_scan(
    rows: Rows, found: dict[str, Any], browser: dict[str, str]
) -> None:
    shop = found["origin"]
    # Over WebDriver BiDi no page can be visited as if from another one.
    came_from = "" if browser["BROWSER"] == "firefox" else "https://search.example/?q=shoes"
    assert found["journey"]["landing"] == f"{shop}/journey/?utm=1#top"
    views = [row for row in rows if row["event_type"] == "pageview"]
    assert [(row["page_url"].removeprefix(shop), row["referrer"].removeprefix(shop)) for row in views] == [
        ("/journey/?utm=1#top", came_from),
        ("/journey/product?id=7", "/journey/?utm=1#top"),
        ("/journey/?utm=1#top", "/journey/product?id=7#reviews"),
        ("/journey/thanks?id=not+the+id&email=[email]", "/journey/?utm=1"),
    ]
    assert [row["page_title"] for row in views[:2]] == ["Page /journey/", "Product 7"]


def test_spoken__each_cause_is_said_once_and_texts_are_whole(rows: Rows, found: dict[str, Any]) -> None:
    """Consent that is not known waits; a rejected event does not keep the others from arriving."""
    said = found["spoken"]
    assert said["warning"][0] == "qrumb: unknown consent yes: pending"
    assert [line for line in said["warning"][1:] if "metadata.mail" not in line] == []
    assert len(said["warning"]) == 2
    assert len(said["log"]) == 12  # six events, six receipts
    assert [row["event_type"] for row in rows] == ["pageview", "held", "halves", "still_at_work"]
    assert rows[1]["page_title"] == "\U0001f45f" * 1024
    assert json.loads(rows[2]["metadata"]) == {"\ufffd": "a\ufffdb \U0001f600 \\ud800"}


def test_astray__a_site_or_an_address_that_is_wrong_is_said(rows: Rows, found: dict[str, Any]) -> None:
    said = found["astray"]
    assert len(said["unknown"]) == 1
    assert "403" in said["unknown"][0]
    # The answer that there is nothing comes without CORS, so the page cannot read it.
    assert [line.partition(",")[0] for line in said["path"]] == ["qrumb: endpoint has a path"]
    assert said["unnamed"] == ["qrumb: no data-site: nothing recorded"]
    assert rows == []


def test_traced__headers_of_tracing_libraries_pass(rows: Rows, found: dict[str, Any]) -> None:
    """Each fetch has them, so Chromium asks whether it may; a title arrives character by character."""
    assert found["traced"]
    for names in found["traced"]:
        assert {"sentry-trace", "baggage", "traceparent"} <= set(names)
    assert [row["event_type"] for row in rows] == ["pageview", "pageview", "traced"]
    assert {row["page_title"] for row in rows[1:]} == {"Sneakers \U0001f45f\U0001f468\u200d\U0001f469\u200d\U0001f467"}


def test_outbound__a_link_to_another_host_is_a_click_without_its_query(rows: Rows, found: dict[str, Any]) -> None:
    assert told(rows) == [("pageview", {}), ("click", {"outbound": True, "url": f"{found['other']}/away"})]


def test_second_page__the_session_goes_with_the_tab(rows: Rows, found: dict[str, Any]) -> None:
    assert [row["scan_session_id"] for row in rows] == ["scan-2", "scan-2"]
    assert rows[1]["referrer"] == f"{found['origin']}/second_page/"
    assert found["second_page"] == {"session": {"qrumb.scan": "scan-2"}, "local": {}}


def test_granted__what_was_held_back_is_sent_with_its_own_time(rows: Rows, found: dict[str, Any]) -> None:
    assert found["granted"]["before"] == {"calls": 0, "session": {}, "local": {}}
    assert found["granted"]["after"]["session"] == {"qrumb.scan": "scan-g"}
    assert told(rows) == [("pageview", {}), ("looked", {"at": "shoes"})]
    assert [(row["consent"], row["scan_session_id"]) for row in rows] == [("granted", "scan-g")] * 2
    assert all(row["time"] < found["granted"]["releasedAt"] - 1000 for row in rows)


def test_denied__nothing_is_kept_and_little_is_said(rows: Rows, found: dict[str, Any]) -> None:
    assert found["denied"] == {"session": {}, "local": {}}
    assert told(rows) == [("pageview", {}), ("looked", {}), ("looked", {})]
    for row in rows:
        assert row["consent"] == "denied"
        assert row["page_url"] == f"{found['origin']}/denied/"
        assert row["scan_session_id"] == ""


def test_withdrawn__a_refusal_empties_the_storage(rows: Rows, found: dict[str, Any]) -> None:
    assert found["withdrawn"]["before"]["session"] == {"qrumb.scan": "scan-w"}
    assert found["withdrawn"]["after"] == {"session": {}, "local": {}}
    assert [row["consent"] for row in rows] == ["granted"], "it happened with consent"


def test_offline__events_wait_for_the_network(rows: Rows, found: dict[str, Any]) -> None:
    assert found["offline"]["meanwhile"] == 0
    assert [row["event_type"] for row in rows] == ["pageview", "offline-1", "offline-2", "offline-3"]


def test_closed__the_last_words_of_a_tab_arrive(rows: Rows, found: dict[str, Any]) -> None:
    assert [row["event_type"] for row in rows] == ["pageview", "last_words"]
    assert rows[1]["event_id"] == found["closed"]["id"]


def test_closed_in_flight__neither_the_call_under_way_nor_what_waits_is_lost(rows: Rows) -> None:
    assert sorted(row["event_type"] for row in rows) == ["behind_it", "pageview", "under_way"]


def test_beacon__a_browser_without_keepalive_uses_a_beacon(rows: Rows, found: dict[str, Any]) -> None:
    assert found["beacon"]["session"] == {"beacon": "used"}
    assert rows[0]["page_title"] == "Page /beacon/"


def test_kept__what_could_not_be_sent_is_sent_by_the_next_page(rows: Rows, found: dict[str, Any]) -> None:
    assert [row["event_type"] for row in rows] == ["pageview", "in_the_tunnel", "pageview"]
    assert rows[1]["event_id"] == found["kept"]["id"]
    assert found["kept"]["after"]["local"] == {}


def test_sandboxed__blocked_storage_costs_nothing(rows: Rows, found: dict[str, Any]) -> None:
    assert found["sandboxed"] == {"blocked": "SecurityError", "errors": []}
    assert [(row["event_type"], row["scan_session_id"]) for row in rows] == [
        ("pageview", "scan-s"),
        ("click", "scan-s"),
    ]


def test_strict__a_strict_policy_is_met(rows: Rows, found: dict[str, Any]) -> None:
    """No inline script, no eval, trusted types; set up by the attributes of the script's element."""
    assert found["strict"]["errors"] == []
    assert found["strict"]["address"].endswith("/strict/strict/?qrs=other")
    assert [(row["event_type"], row["scan_session_id"]) for row in rows] == [
        ("pageview", "scan-p"),
        ("click", "scan-p"),
    ]


def test_early__calls_before_the_script_are_kept_with_their_time(rows: Rows, found: dict[str, Any]) -> None:
    assert found["early"]["loadedLater"] > 500
    assert [row["event_type"] for row in rows] == ["pageview", "before_the_tag"]
    assert abs(rows[1]["time"] - found["early"]["time"]) < 400, "the tag came 800 ms later"


def test_overloaded__a_stated_delay_is_kept(rows: Rows, found: dict[str, Any]) -> None:
    """Through a proxy of the site, with a path of its own."""
    assert found["overloaded"]["calls"] == 2
    assert found["overloaded"]["gap"] >= 1990
    assert [row["event_type"] for row in rows] == ["pageview"]


def test_rejected__a_rejected_event_is_not_sent_again(
    rows: Rows, stack: Stack, found: dict[str, Any], browser: dict[str, str]
) -> None:
    """And harms no other; what is not an object is no metadata."""
    # WebDriver BiDi tells no bodies; there the rows show it alone.
    assert found["rejected"] == ({"sent": 3, "different": 3} if browser["BROWSER"] == "chromium" else {})
    assert told(rows) == [("pageview", {}), ("right", {})]
    wait_until(lambda: stack.count("site_id = 'rejected'", "invalid_events") == 1)


def test_readme__its_example_works(rows: Rows, found: dict[str, Any]) -> None:
    assert found["readme"] == {"errors": []}
    # Both are said in one millisecond, so their rows have no order.
    assert sorted(told(rows), key=str) == [("pageview", {}), ("video_started", {"title": "How it is made"})]


def test_demo__a_scan_a_visit_and_a_purchase_are_one_story(stack: Stack, found: dict[str, Any]) -> None:
    """The example shop: the poster's code is on every event, the backend's too."""
    assert found["example"]["errors"] == []
    assert "qrs=" not in found["example"]["address"]
    stack.wait_for_rows(1, "site_id = 'demo' AND event_name = 'purchase'")
    rows = stack.query(
        "SELECT event_type, event_name, qr_code_id, toFloat64(conversion_value) AS amount, consent "
        "FROM events.attributed_events WHERE site_id = 'demo' ORDER BY event_time"
    )
    assert [row["event_type"] or row["event_name"] for row in rows] == ["pageview", "click", "form_submit", "purchase"]
    assert {(row["qr_code_id"], row["consent"]) for row in rows} == {("poster-7", "granted")}
    assert rows[-1]["amount"] == 49.9


def test_demo__what_is_a_scan(stack: Stack, found: dict[str, Any], browser: dict[str, str]) -> None:
    """A guess of Chromium's is none, each tap is one, and reload, back and forward make none of a landing."""
    scans = found["scans"]
    assert "failed" not in scans, scans
    if browser["BROWSER"] == "chromium":  # Firefox has no speculation rules
        assert scans["speculated"]["guessed"] == "Failure PrefetchFailedNon2XX"
    assert 302 not in scans["speculated"]["before"]
    assert scans["speculated"]["tap"] == [302]
    assert (scans["twice"], scans["after"], scans["box"]) == ([[302], [302]], [], [302])
    stack.wait_for_empty_spool()
    rows = stack.query(
        "SELECT qr_code_id, toUInt32(uniqExact(scan_session_id)) AS scans FROM events.scan_sessions "
        "WHERE site_id = 'demo' GROUP BY qr_code_id ORDER BY qr_code_id"
    )
    assert [(row["qr_code_id"], row["scans"]) for row in rows] == [
        ("09506000134352", 1),
        ("flyer-2", 1),
        ("poster-7", 1),
        ("poster-8", 2),
    ]


def test_no_event_of_any_scenario_was_refused_but_the_wrong_one(found: dict[str, Any], stack: Stack) -> None:
    """Two in the metadata of `spoken`; the address that the journey's form puts into a URL costs no pageview."""
    refused = stack.query(
        "SELECT site_id, reasons FROM events.invalid_events WHERE site_id != 'cases' ORDER BY site_id"
    )
    assert refused == [
        {"site_id": "rejected", "reasons": ["CONTAINS_EMAIL"]},
        {"site_id": "spoken", "reasons": ["CONTAINS_EMAIL"]},
        {"site_id": "spoken", "reasons": ["CONTAINS_EMAIL"]},
    ]
