"""JSONTestSuite and the big list of naughty strings, as their npm packages have them, through the gateway."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import httpx
import pytest

from tests.support.javascript import corpus
from tests.support.patience import patient
from tests.support.plain_http import NO_TLS
from tests.support.stack import Stack, wait_until
from tests.support.strings import assert_stored, texts_event

pytestmark = pytest.mark.stack

# The contract refuses equal keys, whose meaning no two readers agree on.
REFUSED_HERE: Final = {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}
# The shortest limit of a text field, less the letters that texts_event puts around.
ROOM: Final = 126


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, timeout=patient(20), verify=NO_TLS) as client:
        yield client


@pytest.fixture(scope="module")
def suite() -> dict[str, str]:
    """Texts by name: n_ is not JSON, y_ is, of i_ either may be said. What is not UTF-8 is damaged in the package."""
    script = (corpus("json-test-suite") / "data/parsing.js").read_text(encoding="utf-8")
    cases = json.loads(script.partition("export default")[2])
    return {case["name"]: case["input"] for case in cases if "\ufffd" not in case["input"]}


def bodies(text: str) -> Iterator[tuple[str, bytes]]:
    """Paths, and what to post there: the text as a value among the sender's own fields."""
    for path, own, named in (("/collect", "metadata", "event_type"), ("/server-events", "properties", "event_name")):
        core = json.dumps({"site_id": "corpora", "scan_session_id": "s", named: "x"})
        event = f'{core[:-1]}, "{own}": {{"v":{text}}}}}'
        yield path, event.encode()
        yield f"{path}/batch", f'{{"events": [{event}]}}'.encode()


def test_what_is_no_json_is_refused_and_what_may_be_is_answered(client: httpx.Client, suite: dict[str, str]) -> None:
    """By itself, as an event's member and within a batch. 413: one of them is a quarter of a megabyte."""
    seen = 0
    for name, text in suite.items():
        for path, body in (("/collect", text.encode()), *bodies(text)):
            reply = client.post(path, content=body)
            assert reply.status_code in {200, 400, 413}, (name, path, reply.text)
            if name.startswith("n_"):
                assert reply.status_code in {400, 413}, (name, path, reply.text)
                seen += 1
    assert seen > 850


def test_what_is_json_is_stored_as_it_is(stack: Stack, client: httpx.Client, suite: dict[str, str]) -> None:
    """Digit by digit and character by character."""
    sent: dict[str, Any] = {}
    for name, text in suite.items():
        if not name.startswith("y_"):
            continue
        for path, body in bodies(text):
            reply = client.post(path, content=body)
            receipt = reply.json().get("receipt") or reply.json().get("receipts", [{}])[0]
            assert (receipt.get("outcome") == "ACCEPTED") is (name not in REFUSED_HERE), (name, path, reply.text)
            if name not in REFUSED_HERE:
                sent[receipt["event_id"]] = exact(text)
    sql = "SELECT event_id, metadata FROM events.valid_events WHERE site_id = 'corpora'"
    # Other tests of this file store events of the same site.
    rows = wait_until(lambda: found if sent.keys() <= (found := by_id(stack.query(sql))).keys() else {})
    stored = {event_id: exact(rows[event_id])["v"] for event_id in sent}
    assert stored == sent
    assert len(sent) > 4 * 85


def by_id(rows: list[dict[str, Any]]) -> dict[str, str]:
    """metadata by event_id."""
    return {row["event_id"]: row["metadata"] for row in rows}


def exact(text: str) -> Any:
    """JSON's value with every digit of its numbers."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def test_naughty_strings_are_stored_identical_in_every_text_field(stack: Stack, client: httpx.Client) -> None:
    """A long one as far as the field's limit goes, and whole where it fits."""
    naughty = json.loads((corpus("blns") / "resources/blns.json").read_text(encoding="utf-8"))
    assert len(naughty) > 450
    sent: dict[str, dict[str, Any]] = {}
    for path, source, own in (("/collect", "browser", "metadata"), ("/server-events", "server", "properties")):
        events = []
        for number, text in enumerate(naughty):
            event = texts_event("corpora-strings", source, text[:ROOM], str(number))
            event[own]["whole"] = text
            if source == "browser":
                event["page_title"] = text
            events.append(event)
        reply = client.post(f"{path}/batch", content=json.dumps({"events": events}).encode())
        assert reply.status_code == 200, reply.text
        assert [one for one in reply.json()["receipts"] if one["outcome"] != "ACCEPTED" or one["warnings"]] == []
        sent |= {event["event_id"]: event for event in events}
    assert_stored(stack, "corpora-strings", sent)
