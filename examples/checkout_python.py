"""A checkout reports its purchases to qrumb, over gRPC: `report_purchase(stub, site_id, key, order)`.

The order's own number names the event, so that reporting it twice, after a crash or a retry, counts once.
"""

import hashlib
import uuid
from dataclasses import dataclass
from decimal import Decimal

from google.protobuf.json_format import ParseDict

from qrumb.v1.collector_service_pb2 import CollectServerEventRequest
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceStub
from qrumb.v1.receipt_pb2 import EventReceipt
from qrumb.v1.server_event_pb2 import ConversionValue, ServerEvent, UserIdentifiers

__all__ = ["Order", "report_purchase"]

CALL_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the shop knows of a purchase."""

    number: str
    amount: Decimal
    currency: str
    items: tuple[str, ...]
    scan_session_id: str
    """What the tag said on the page; without it the purchase belongs to no QR code and is not reported."""
    email: str = ""
    consent: str = "GRANTED"


def report_purchase(stub: CollectorServiceStub, site_id: str, key: str, order: Order) -> EventReceipt:
    """Report one purchase and return its receipt.

    Raises:
        grpc.RpcError: INVALID_ARGUMENT says what is wrong; after any other the same order may be tried again.
    """
    event = ServerEvent(
        site_id=site_id,
        event_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://shop.example/orders/{order.number}")),
        scan_session_id=order.scan_session_id,
        event_name="purchase",
        consent=order.consent,
        conversion_value=ConversionValue(amount=float(order.amount), currency=order.currency),
    )
    if order.email:
        normal = order.email.strip().lower()
        event.user_identifiers.CopyFrom(UserIdentifiers(email_hash=hashlib.sha256(normal.encode()).hexdigest()))
    ParseDict({"order": order.number, "items": list(order.items)}, event.properties)
    request = CollectServerEventRequest(event=event)
    metadata = (("authorization", f"Bearer {key}"),)
    return stub.CollectServerEvent(request, metadata=metadata, timeout=CALL_SECONDS).receipt
