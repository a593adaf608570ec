"""The Python clients keep what clients/cases promises of every client."""

import base64
import re
import sys
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import grpc
import phonenumbers
import pytest
from google.protobuf import json_format

from qrumb import (
    AsyncClient,
    Client,
    DeliveryError,
    Settings,
    browser_event,
    device,
    email_hash,
    event_id_for,
    normal_forms,
    phone_hash,
    server_event,
)
from qrumb.events import Event
from qrumb.retry import backoff, is_retried
from qrumb.v1.receipt_pb2 import EventReceipt, Violation
from tests.integration.clients.conftest import Keyed
from tests.support.client_cases import AsyncDriver, SyncDriver, run_delivery_case
from tests.support.client_front import CASES, Front, load_cases

Case = dict[str, Any]
DRIVERS: dict[str, Any] = {"client": SyncDriver, "async client": AsyncDriver}


def cases(name: str) -> Any:
    """The cases of a file as parameters."""
    return pytest.mark.parametrize("case", load_cases(name), ids=lambda case: case["name"])


def build(kind: str, arguments: Case) -> Event:
    """An event of a case's input."""
    given = dict(arguments)
    if "event_time" in given:
        given["event_time"] = datetime.fromisoformat(given["event_time"])
    if isinstance(given.get("amount"), str):
        given["amount"] = Decimal(given["amount"])
    if "device" in given:
        given["device"] = device(**given["device"])
    return server_event(**given) if kind == "server" else browser_event(**given)


@pytest.fixture(params=["with the extra", "without it"])
def has_extra(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[bool]:
    """Whether the library of qrumb[phone] can be imported."""
    normal_forms._phonenumbers.cache_clear()
    if request.param == "without it":
        monkeypatch.setitem(sys.modules, "phonenumbers", None)
    yield request.param == "with the extra"
    normal_forms._phonenumbers.cache_clear()


@cases("hashes")
def test_hashes(case: Case, has_extra: bool) -> None:
    """The same person has the same hash in every language; what cannot be meant is refused and not quoted."""
    make = email_hash if case["kind"] == "email" else phone_hash
    if case.get("refused") or case.get("extra") == ("refuses" if has_extra else "decides"):
        names_extra = case.get("extra") == "decides"
        with pytest.raises(ValueError, match=r"qrumb\[phone\]" if names_extra else case["kind"]) as caught:
            make(case["input"])
        assert not case["input"].strip() or case["input"].strip() not in str(caught.value)
        assert caught.value.__cause__ is None
    else:
        assert make(case["input"]) == case["hash"]


def test_country_codes_are_those_that_are_assigned() -> None:
    """A digit too many in a country code would take a trunk prefix for a part of the number."""
    assigned = {str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE}
    taken = {str(code) for code in range(1, 1000) if re.fullmatch(normal_forms._COUNTRY, f"+{code}")}
    assert assigned <= taken
    assert not [code for code in taken if any(code != other and code.startswith(other) for other in taken)]


@cases("addresses")
async def test_addresses(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address means the same in every language, and what is none is refused in the same words."""
    for name in ("QRUMB_URL", "QRUMB_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in case.get("environment", {}).items():
        monkeypatch.setenv(name, value)
    arguments = {name: case[name] for name in ("url", "key") if name in case and "environment" not in case}
    for kind in (Client, AsyncClient):
        make = kind.from_env if "environment" in case else kind
        if refused := case.get("refused"):
            with pytest.raises(ValueError) as caught:
                make(**arguments)
            assert str(caught.value) in {refused, f"url: {refused}"}
            continue
        client = make(**arguments)
        assert (client._way.target, client._way.credentials is not None) == (case["target"], case["tls"])
        assert client._way.metadata == ((("authorization", f"Bearer {case['key']}"),) if case.get("key") else ())
        await client.close() if isinstance(client, AsyncClient) else client.close()


@cases("event_ids")
def test_event_ids(case: Case) -> None:
    """The same order has the same id in every language."""
    if refused := case.get("refused"):
        with pytest.raises(ValueError, match=refused):
            event_id_for(case["event_name"], case["key"])
    else:
        assert event_id_for(case["event_name"], case["key"]) == case["id"]


@cases("events")
def test_events(case: Case) -> None:
    """A builder's message is the JSON and the bytes of the case."""
    event = build(case["kind"], case["input"])
    assert event == json_format.ParseDict(case["json"], type(event)())
    assert base64.b64encode(event.SerializeToString(deterministic=True)).decode() == case["wire"]


@cases("refusals")
def test_refusals(case: Case) -> None:
    """A mistake of the program is refused at once, with the argument's name."""
    with pytest.raises(ValueError, match=case["refused"]) as caught:
        build(case["kind"], case["input"])
    for name in ("email", "phone"):
        assert case["input"].get(name, "-") not in str(caught.value) or name not in case["input"]


@cases("statuses")
def test_statuses(case: Case) -> None:
    """What a retry can cure is tried again, nothing else."""
    if "grpc" not in case:
        pytest.skip("of JSON over HTTP")
    assert is_retried(grpc.StatusCode[case["grpc"]], has_delay=case.get("delay", False)) is case["retried"]


@cases("backoff")
def test_backoff(case: Case) -> None:
    """Waits double up to their ceiling, with jitter; a stated delay is kept."""
    settings = Settings(**case.get("settings", {}))
    wait = backoff(settings, case["attempt"], case["random"], case.get("stated"))
    assert wait == pytest.approx(case["delay"])


@pytest.mark.parametrize("kind", DRIVERS)
@cases("delivery")
def test_delivery(case: Case, kind: str, front: Front) -> None:
    """Every event has one of three fates, whatever the server does."""
    run_delivery_case(case, DRIVERS[kind], front)


@pytest.mark.parametrize("kind", DRIVERS)
@cases("scans")
def test_scans(case: Case, kind: str, front: Front) -> None:
    """A scan waits in the queue like an event; what is offered waits for nothing."""
    run_delivery_case(case, DRIVERS[kind], front)


@pytest.mark.stack
@pytest.mark.parametrize("kind", DRIVERS)
@cases("node")
def test_node(case: Case, kind: str, keyed: Keyed) -> None:
    """A real node's verdicts arrive as they are."""
    driver = DRIVERS[kind](keyed.stack.grpc_target, Settings(), keyed.key)
    try:
        for step in case["steps"]:
            check_node_step(driver, step, keyed.site_id)
    finally:
        driver.close(10)
        if isinstance(driver, AsyncDriver):
            driver.end()


def check_node_step(driver: SyncDriver | AsyncDriver, step: Case, site_id: str) -> None:
    """One call to the node."""
    if "register" in step:
        arguments = {**step["register"], "site_id": site_id}
        assert driver.register(**arguments).qr_code_id == arguments["qr_code_id"]
        return
    if "collect" in step:
        receipts = [driver.collect(build(step["kind"], {**step["collect"], "site_id": site_id}))]
        outcomes = [step["outcome"]]
    else:
        del driver.receipts[:]
        for arguments in step["send"]:
            driver.send(build(step["kind"], {**arguments, "site_id": site_id}))
        assert driver.flush(10)
        receipts, outcomes = driver.receipts, step["outcomes"]
    assert [EventReceipt.Outcome.Name(receipt.outcome) for receipt in receipts] == outcomes
    for number, receipt in enumerate(receipts):
        found = sorted([violation.field, Violation.Reason.Name(violation.reason)] for violation in receipt.violations)
        assert found == sorted(step.get("violations", {}).get(number, []))


@pytest.mark.stack
def test_without_its_key_a_client_is_refused(keyed: Keyed) -> None:
    """By the node that takes every case above."""
    event = server_event(site_id=keyed.site_id, event_name="lead", scan_session_id="s")
    with Client(keyed.stack.grpc_target) as client, pytest.raises(DeliveryError) as caught:
        client.collect(event)
    assert caught.value.code is grpc.StatusCode.UNAUTHENTICATED


EXPECTATIONS = {
    *("calls", "calls_at_least", "events", "gaps", "accepted", "rejected", "failed", "retried", "retried_at_least"),
    *("receipts", "failures", "authorization"),
}
VECTORS = ("hashes", "addresses", "event_ids", "events", "refusals", "statuses", "backoff", "redirect", "carry")
FILES = (*VECTORS, "delivery", "scans", "spool", "node")


@pytest.mark.parametrize("file", FILES)
def test_cases_are_well_formed(file: str) -> None:
    """Unique names, a promise each, and nothing expected that no runner looks at."""
    found = load_cases(file)
    assert len({case["name"] for case in found}) == len(found)
    assert all(case["promise"].endswith(".") for case in found)
    assert not {key for case in found if file in {"delivery", "scans"} for key in case["expect"]} - EXPECTATIONS
    assert f"`{file}.yaml`" in (CASES / "README.md").read_text(encoding="utf-8")
