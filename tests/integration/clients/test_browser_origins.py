"""A real Chromium, pages of another origin than the collector, and a site that has one of their two origins.

The scenarios are clients/browser/test/browsers/origins.mjs. `allowed` is what happens on http://localhost, which the
site `own` has among its origins; `refused` the same on http://127.0.0.1, which it has not.
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.javascript import browser_path, built_package, run_node
from tests.support.stack import Stack, running_stack, wait_until

SCENARIO_SECONDS = 120
pytestmark = [pytest.mark.stack, pytest.mark.timeout(SCENARIO_SECONDS + 120)]
SCENARIOS = (
    *("fetch_json", "fetch_keepalive", "grpc_web", "any_beacon", "pixel", "pixel_cors", "tag"),
    *("last_beacon", "last_keepalive"),
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A node with the site `own`, that logs each request of its gateway."""
    browser_path("chromium")
    built_package("browser")
    settings = {"QRUMB_ACCESS": "keys", "QRUMB_GATEWAY__ACCESS_LOG": "true"}
    stack = Stack(tmp_path_factory.mktemp("origins") / "data", **settings)
    done = stack.command("sites", "add", "own", "--origin", "http://localhost:*")
    assert done.returncode == 0, done.stderr
    with running_stack(stack.data_dir, **settings) as running:
        yield running


def run(stack: Stack, *scenarios: str) -> dict[str, Any]:
    """What the pages of some scenarios knew."""
    arguments = ("test/browsers/run.mjs", stack.url, *scenarios)
    done = run_node(built_package("browser"), *arguments, seconds=SCENARIO_SECONDS, CHROMIUM=browser_path("chromium"))
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def found(stack: Stack) -> dict[str, Any]:
    """One run of all scenarios."""
    return run(stack, *SCENARIOS)


@pytest.fixture(scope="module")
def stored(stack: Stack, found: dict[str, Any]) -> dict[str, set[str | None]]:
    """Hosts of the pages whose events are in the table, by scenario."""
    stack.wait_for_empty_spool()
    hosts: dict[str, set[str | None]] = {}
    for row in stack.query("SELECT event_type, page_url FROM events.valid_events WHERE site_id = 'own'"):
        hosts.setdefault(row["event_type"], set()).add(urlsplit(row["page_url"]).hostname)
    return hosts


@pytest.mark.parametrize("scenario", ["fetch_json", "fetch_keepalive"])
def test_a_page_reads_its_receipt_or_why_it_was_refused(
    found: dict[str, Any], stored: dict[str, set[str | None]], scenario: str
) -> None:
    """With a preflight (JSON) and without one (text that outlives its page)."""
    allowed, refused = found[scenario]["allowed"], found[scenario]["refused"]
    assert allowed["status"] == 200
    assert json.loads(allowed["text"])["receipt"]["outcome"] == "ACCEPTED"
    assert refused["status"] == 403
    assert json.loads(refused["text"])["details"][0]["reason"] == "ORIGIN_NOT_ALLOWED"
    assert "may not send events of this site" in json.loads(refused["text"])["message"]
    assert stored[scenario] == {"localhost"}


def test_grpc_web(found: dict[str, Any], stored: dict[str, set[str | None]]) -> None:
    """The page reads the status, too."""
    allowed, refused = found["grpc_web"]["allowed"], found["grpc_web"]["refused"]
    assert allowed["status"] == 200
    assert "grpc-status:0" in allowed["text"]
    assert refused["headers"]["grpc-status"] == "7"
    assert "may not send events" in refused["headers"]["grpc-message"]
    assert stored["grpc_web"] == {"localhost"}


def test_beacons(found: dict[str, Any], stored: dict[str, set[str | None]]) -> None:
    """A page cannot read what a beacon was answered; the browser took both."""
    assert found["any_beacon"] == {"allowed": {"taken": True, "status": 200}, "refused": {"taken": True, "status": 403}}
    assert stored["any_beacon"] == {"localhost"}


def test_the_pixel(found: dict[str, Any], stored: dict[str, set[str | None]]) -> None:
    """Browsers state no origin for a plain image, only where it is from; with `crossorigin` they do."""
    for scenario in ("pixel", "pixel_cors"):
        assert found[scenario] == {"allowed": "loaded", "refused": "error"}
        assert stored[scenario] == {"localhost"}


def test_the_tag(found: dict[str, Any], stored: dict[str, set[str | None]]) -> None:
    """A refused call is not repeated."""
    assert found["tag"] == {"allowed": {"calls": 1}, "refused": {"calls": 1}}
    assert stored["pageview"] == {"localhost"}


@pytest.mark.parametrize("scenario", ["last_beacon", "last_keepalive"])
def test_what_is_said_when_a_tab_is_closed_arrives(
    found: dict[str, Any], stored: dict[str, set[str | None]], scenario: str
) -> None:
    """From pagehide on, there is no page left to wait for an answer."""
    assert "failed" not in found[scenario]
    assert stored[scenario] == {"localhost"}


@pytest.mark.parametrize(("scenario", "expected"), [("two_json", 1), ("two_texts", 0)])
def test_preflights(stack: Stack, found: dict[str, Any], scenario: str, expected: int) -> None:
    """One serves all calls of its page until it is two hours old; text, which tag and beacons send, needs none."""
    before = gateway_log(stack)
    answers = run(stack, scenario)[scenario]
    assert [answer["status"] for answer in answers] == [200, 200]
    # Lines come in order, so with both calls their preflights are there too.
    wait_until(lambda: gateway_log(stack).count("/collect") == before.count("/collect") + 2)
    assert gateway_log(stack).count("preflight") == before.count("preflight") + expected


def gateway_log(stack: Stack) -> list[str]:
    """Names of the routes that were taken."""
    lines = [line for line in stack.log().splitlines() if line.startswith("{") and '"route"' in line]
    return [json.loads(line)["route"] for line in lines]
