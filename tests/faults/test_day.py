"""The day of tests/support/day.py on a real node, as JSON through the gateway, with kill -9 of everything meanwhile."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import grpc
import httpx
import pytest

from qrumb.v1 import query_service_pb2 as pb
from qrumb.v1.query_service_pb2_grpc import QueryServiceStub
from tests.support.day import HOUR_MS, Day, Person, Sent, make_day
from tests.support.day_checks import (
    EVER,
    check_counts,
    check_funnel,
    check_gone,
    check_ledger,
    check_receipts,
    check_rejected,
    check_rows,
    erasable,
)
from tests.support.day_oracle import outcome_of
from tests.support.stack import Stack, running_stack

PATHS = {"browser": "/collect", "server": "/server-events", "register": "/scan-sessions"}
# `make soak` has a day of 4,000.
ARRIVALS = int(os.environ.get("DAY_ARRIVALS", "120"))
KILLS = 3
ERASED = 20
pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(400 + ARRIVALS)]

# A day passes within seconds here, all of it from one address, so rates say nothing.
SITES = """
[{site}]
fraud = {{ ignored_reasons = ["session_velocity", "address_velocity"] }}
[{other}]
"""


def test_a_day_with_kills(tmp_path: Path) -> None:
    """Everything was acknowledged, so everything is there, and every question has the oracle's answer."""
    day = make_day(7, site_id="day", base_ms=int(time.time() * 1000) - 24 * HOUR_MS, arrivals=ARRIVALS)
    outcome = outcome_of(day)
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "sites.toml").write_text(SITES.format(site=day.site_id, other=day.other_site_id))
    with running_stack(data_dir, QRUMB_WORKERS="1") as stack:
        part = len(day.sent) // (KILLS + 1) + 1
        for begin in range(0, len(day.sent), part):
            send(stack, day.sent[begin : begin + part])
            # Right after the last answer: what is under way to the store dies there.
            stack.kill_all()
            stack.start()
        stack.wait_for_empty_spool()
        check_answers(stack, day)
        check_rows(stack.query(f"SELECT * FROM events.attributed_events WHERE site_id = '{day.site_id}'"), outcome)
        verified = stack.command("ledger", "--verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
        gone = erasable(day, outcome, ERASED)
        erase(stack, day, gone)
        database = data_dir / "clickhouse"
        files = [path for path in data_dir.rglob("*") if path.is_file() and database not in path.parents]
        check_gone(stack.query, gone, [*files, stack.log_path])


def send(stack: Stack, part: list[Sent]) -> None:
    """One after the other; each is acknowledged or, where it is to be, refused."""
    with stack.http() as client:
        for sent in part:
            answer = client.post(PATHS[sent.kind], json=sent.body, headers={"user-agent": sent.agent})
            wanted = httpx.codes.BAD_REQUEST if sent.is_bad else httpx.codes.OK
            assert answer.status_code == wanted, f"{answer.text}: {sent.body}"


def erase(stack: Stack, day: Day, gone: Sequence[Person]) -> None:
    """By the accounts that they are known under."""
    with stack.http() as client:
        for one in gone:
            named = {"userIdentifiers": {"externalId": one.external_id}}
            answer = client.post(f"/v1/sites/{day.site_id}/erase-subject", json=named)
            assert answer.status_code == httpx.codes.OK, answer.text
            assert int(answer.json()["event_count"]) >= 1


def check_answers(stack: Stack, day: Day) -> None:
    """What the QueryService says."""
    outcome = outcome_of(day)
    with grpc.insecure_channel(stack.grpc_target) as channel:
        queries = QueryServiceStub(channel)
        receipts = {
            event_id: queries.GetReceipt(pb.GetReceiptRequest(site_id=day.site_id, event_id=event_id))
            for event_id in (*outcome.events, *outcome.rejected)
        }
        check_receipts(receipts, outcome)
        check_rejected(receipts[event_id] for event_id in outcome.rejected)
        check_funnel(queries.GetFunnel(pb.GetFunnelRequest(site_id=day.site_id, **EVER)), outcome)
        check_ledger(queries.GetLedger(pb.GetLedgerRequest(site_id=day.site_id, **EVER)), outcome)
        check_counts(queries.CountEvents(pb.CountEventsRequest(site_id=day.site_id, bucket="WHOLE", **EVER)), outcome)
