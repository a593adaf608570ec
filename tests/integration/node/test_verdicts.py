"""The contract is enforced, and it is the same over JSON and gRPC, alone and in a batch.

The cases are data: tests/golden/verdicts.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from qrumb.testing import Node, running_node
from tests.support.collector_calls import (
    PATHS,
    GrpcCalls,
    HttpCalls,
    Verdict,
    as_json,
    batch_verdicts,
    is_uuid,
    verdict,
)
from tests.support.patience import patient
from tests.support.plain_http import NO_TLS
from tests.support.stack import Stack, running_stack, wait_until
from tests.support.verdict_cases import FILES, UNSEEN, Case, load_cases

pytestmark = pytest.mark.stack

Calls = HttpCalls | GrpcCalls
JSON_TYPE = {"content-type": "application/json"}
# Columns that may come from the request's own headers and address, which differ between transports.
FROM_THE_CALLER = {"device_type", "browser_family", "os_family", "country_code", "city", "is_fraud", "fraud_reasons"}
# What an event becomes by what is known of its session and of others; scenarios/ has that.
FROM_OTHERS = {"qr_code_id", "user_id", "user_id_source", "is_duplicate"}
# Columns whose stored value must be the one of the dry run, letter by letter.
FROM_THE_EVENT = (
    "event_id", "site_id", "scan_session_id", "event_type", "event_name", "source", "page_url", "page_title",
    "referrer", "conversion_currency", "metadata", "consent", "fingerprint",
)  # fmt: skip


@pytest.fixture(scope="module")
def calls(stack: Stack) -> Iterator[list[Calls]]:
    """Both transports."""
    unlimited = (("grpc.max_receive_message_length", -1),)
    with stack.http() as client, grpc.insecure_channel(stack.grpc_target, options=unlimited) as channel:
        yield [HttpCalls(client), GrpcCalls(channel)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_verdicts_are_those_of_the_table(stack: Stack, calls: list[Calls], path: Path) -> None:
    """Every case, dry and for good, alone and in a batch, over both transports; what is stored is the dry run's row."""
    cases = load_cases(path, datetime.now(UTC))
    dry_rows: dict[str, dict[str, Any]] = {}
    for case, verdicts in zip(cases, ask_everywhere(calls, cases), strict=True):
        with naming(case):
            check(case, verdicts)
        row = next(iter(verdicts.values())).row
        dry_rows |= {said.event_id: row or {} for said in verdicts.values() if said.outcome == "ACCEPTED"}
        assert len([said for said in verdicts.values() if said.row]) in {0, len(verdicts) // 2}
    for stored in read_back(stack, list(dry_rows)):
        expected = {**dry_rows[stored["event_id"]], "event_id": stored["event_id"]}
        assert {name: str(stored[name]) for name in FROM_THE_EVENT} == {name: expected[name] for name in FROM_THE_EVENT}
        amount = stored["conversion_value"]
        assert amount == (float(expected["conversion_value"]) if expected["conversion_value"] else None)


STATED_LATER = re.compile(
    r'(?<=")[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=")|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z'
)


@pytest.fixture(scope="module")
def micro() -> Iterator[Node]:
    """The one process that stands for a node in tests."""
    with running_node() as node:
        yield node


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A node that has seen as little as the micro one: a session that is another site's as well is marked.

    Nobody asks for its rows: they are loaded in as few batches as may be.
    """
    settings = {"QRUMB_WORKERS": "1", "QRUMB_SPOOL__SEAL_AFTER": "PT4S"}
    with running_stack(tmp_path_factory.mktemp("alone") / "data", **settings) as node:
        yield node


def test_micro_answers_byte_for_byte_alike(alone: Stack, micro: Node) -> None:
    """What `qrumb micro` answers to a case is what the gateway answers: status, type and body.

    Everything dry first: once a loader has stored an event, it says what a later one of its session becomes.
    """
    dry: list[tuple[str, Any, str]] = []
    for_good: list[tuple[str, Any, str]] = []
    for path in FILES:
        cases = [case for case in load_cases(path, datetime.now(UTC)) if "http" in case.transports]
        address = PATHS[cases[0].source]
        # A rejection is the same thing dry, and said in the batch.
        accepted = [case for case in cases if not case.violations]
        dry += [(f"{address}?validate_only=true", one.event, f"{path.stem}: {one.name}, dry") for one in accepted]
        batch = {"events": [case.event for case in cases], "validate_only": True}
        dry.append((f"{address}/batch", batch, f"{path.stem}: batch"))
        for_good += [(address, case.event, f"{path.stem}: {case.name}") for case in cases]
    with alone.http() as client, httpx.Client(base_url=micro.url, timeout=patient(20), verify=NO_TLS) as light:
        for at, body, name in [*dry, *for_good]:
            sent = as_json(body)
            said = [normal(one.post(at, content=sent, headers=JSON_TYPE), sent) for one in (client, light)]
            assert said[0] == said[1], name


def normal(reply: httpx.Response, sent: bytes) -> tuple[int, str, str]:
    """An answer without the ids and times that are made anew for each."""
    known = sent.decode().lower()
    text = STATED_LATER.sub(lambda found: found[0] if found[0].lower() in known else "{made}", reply.text)
    return reply.status_code, reply.headers["content-type"], text


@pytest.fixture(scope="module")
def transcoding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpCalls]:
    """JSON through a gateway that transcodes it by the public contract, as anybody's own would."""
    folder = tmp_path_factory.mktemp("transcoding")
    with (
        running_stack(folder / "data", QRUMB_GATEWAY__JSON="transcode", QRUMB_WORKERS="1") as node,
        node.http() as client,
    ):
        yield HttpCalls(client)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_verdicts_through_envoys_own_transcoding(transcoding: HttpCalls, path: Path) -> None:
    """The same, less what the table names: it refuses values that do not fit a message, of a batch all events, and
    drops what a message cannot hold."""
    good = {"site_id": "untaken", "event_type": "click", "scan_session_id": "s", "event_name": "lead"}
    cases = [case for case in load_cases(path, datetime.now(UTC)) if "http" in case.transports]
    for case in cases:
        if not case.transcoder or case.transcoder == UNSEEN:
            continue
        with naming(case):
            answers = [
                transcoding.one(case.source, case.event, dry=False),
                transcoding.batch(case.source, [good, case.event, good], dry=False),
            ]
            for answer in answers:
                assert answer.status == 400, answer
                assert answer.body["code"] == 3
                assert case.transcoder in answer.body["message"]
            assert "nothing of this batch was taken" in answers[1].body["message"]
    seen = [case for case in cases if not case.transcoder]
    for case, verdicts in zip(seen, ask_everywhere([transcoding], seen, dry_only=True), strict=True):
        with naming(case):
            check(case, verdicts)


def test_tables_are_large_and_cover_every_reason() -> None:
    """A table that was lost or a rule without a case would be noticed."""
    cases = [case for path in FILES for case in load_cases(path, datetime.now(UTC))]
    assert len(cases) > 450
    reasons = {reason for case in cases for _, reason in case.violations}
    assert reasons == {
        "REQUIRED", "TOO_LONG", "INVALID_FORMAT", "INVALID_UUID", "INVALID_ENUM", "OUT_OF_RANGE",
        "NOT_FINITE", "INVALID_CURRENCY", "NOT_HASHED", "HASH_OF_NOTHING", "CONTAINS_EMAIL", "TOO_LARGE", "TOO_DEEP",
        "TOO_MANY_VALUES", "NEGATIVE_AMOUNT", "INVALID_JSON", "PLACEHOLDER",
    }  # fmt: skip
    assert {code for case in cases for _, code in case.warnings} == {
        "CLOCK_CORRECTED", "AMOUNT_ROUNDED", "LEFT_OUT", "EMAIL_REDACTED", "USER_INFO_REMOVED", "TIME_INTERPRETED",
        "UNKNOWN_FIELD", "MISPLACED_FIELD", "INEXACT_NUMBER", "REFUND_NOT_NEGATIVE",
    }  # fmt: skip


def ask_everywhere(calls: Sequence[Calls], cases: list[Case], *, dry_only: bool = False) -> list[dict[str, Verdict]]:
    """The verdicts on each case, by the way it was asked: dry runs first."""
    answers: list[dict[str, Verdict]] = [{} for _ in cases]
    for dry in (True,) if dry_only else (True, False):
        for call in calls:
            sayable = [number for number, case in enumerate(cases) if call.name in case.transports]
            way = f"{call.name}, {'dry' if dry else 'for good'}"
            for number in sayable:
                case = cases[number]
                # A rejection is the same thing dry: the batch has it.
                if dry and case.violations and not dry_only:
                    continue
                with naming(case):
                    answers[number][f"alone, {way}"] = verdict(call.one(case.source, case.event, dry=dry))
            events = [cases[number].event for number in sayable]
            if events:
                said = batch_verdicts(call.batch(cases[0].source, events, dry=dry))
                for number, one in zip(sayable, said, strict=True):
                    answers[number][f"in a batch, {way}"] = one
    return answers


def check(case: Case, verdicts: dict[str, Verdict]) -> None:
    """Each verdict is the table's, and all say the same."""
    first = next(iter(verdicts.values()))
    for way, said in verdicts.items():
        outcome = "REJECTED" if case.violations else "VALIDATED" if "dry" in way else "ACCEPTED"
        assert said.outcome == outcome, (way, said)
        assert sorted((field, reason) for field, reason, _ in said.violations) == case.violations, way
        assert sorted((field, code) for field, code, _ in said.warnings) == case.warnings, way
        assert (said.violations, said.warnings) == (first.violations, first.warnings), way
        sent_id = case.event.get("event_id")
        if not sent_id or not isinstance(sent_id, str):
            assert is_uuid(said.event_id), way
        else:  # a wrong one is said back, but cut and redacted
            assert said.event_id == (first.event_id if case.violations else sent_id.lower()), way
        if said.row:
            assert comparable(said, sent_id) == comparable(first, sent_id), way
            expected = {
                name: said.received_time if value == "{received}" else value for name, value in case.row.items()
            }
            assert {name: said.row.get(name) for name in expected} == expected, way


def comparable(said: Verdict, sent_id: str | None) -> dict[str, Any]:
    """A row without what differs from call to call."""
    assert said.row is not None
    assert said.row["received_time"] == said.received_time
    assert said.row["event_id"] == said.event_id
    left_out = FROM_THE_CALLER | FROM_OTHERS | {"received_time"} | (set() if sent_id else {"event_id"})
    row = {name: value for name, value in said.row.items() if name not in left_out}
    if row["event_time"] == said.received_time:
        row["event_time"] = "{received}"
    return row


def read_back(stack: Stack, event_ids: list[str]) -> list[dict[str, Any]]:
    """The stored rows of these events; each at least once."""
    named = ",".join(f"'{event_id}'" for event_id in event_ids)
    sql = f"SELECT * FROM events.valid_events WHERE event_id IN ({named})"

    def all_rows() -> list[dict[str, Any]]:
        rows = stack.query(sql)
        return rows if {row["event_id"] for row in rows} == set(event_ids) else []

    return wait_until(all_rows) if event_ids else []


@contextlib.contextmanager
def naming(case: Case) -> Iterator[None]:
    """A failure inside says which case it was."""
    try:
        yield
    except Exception as error:
        error.add_note(f"case: {case.name}")
        raise
