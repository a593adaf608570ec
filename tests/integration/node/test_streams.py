"""StreamServerEvents on the real node, direct and through the gateway: thousands in flight, some of them rejected."""

import grpc
import pytest

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceStub
from qrumb.v1.receipt_pb2 import EventReceipt
from qrumb.v1.server_event_pb2 import ServerEvent
from tests.support.patience import patient
from tests.support.stack import Stack

pytestmark = pytest.mark.stack

NUMBER = 6_000
REJECTED_EVERY = 7


@pytest.mark.parametrize("way", ["direct", "gateway"])
def test_stream_has_one_receipt_per_event_in_order(stack: Stack, way: str) -> None:
    """Count and order hold, rejected events included, and each accepted event becomes one row."""
    site_id = f"stream-{way}"
    target = stack.grpc_target if way == "direct" else stack.url.removeprefix("http://")
    sent = [f"00000000-0000-4000-9000-{number:012d}" for number in range(NUMBER)]
    requests = (
        pb.StreamServerEventsRequest(
            event=ServerEvent(
                site_id=site_id,
                event_id=event_id,
                scan_session_id="s",
                event_name="lead" if number % REJECTED_EVERY else "",
            )
        )
        for number, event_id in enumerate(sent)
    )
    with grpc.insecure_channel(target) as channel:
        answers = list(CollectorServiceStub(channel).StreamServerEvents(requests, timeout=patient(60)))
    receipts = [receipt for answer in answers for receipt in answer.receipts]
    assert [receipt.event_id for receipt in receipts] == sent
    rejected = [number for number, receipt in enumerate(receipts) if receipt.outcome == EventReceipt.REJECTED]
    assert rejected == list(range(0, NUMBER, REJECTED_EVERY))
    assert all(answer.receipts for answer in answers)
    stack.wait_for_rows(NUMBER - len(rejected), f"site_id = '{site_id}'")
    stack.wait_for_rows(len(rejected), f"site_id = '{site_id}'", "invalid_events")
