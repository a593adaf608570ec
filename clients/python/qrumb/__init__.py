"""Client of the qrumb event collector; the contract's messages are in `qrumb.v1`."""

from qrumb.aio import AsyncClient
from qrumb.client import Client
from qrumb.errors import ClosedError, DeliveryError, FieldViolation, QrumbError, QueueFullError, UndeliveredError
from qrumb.events import browser_event, device, server_event
from qrumb.hashing import email_hash, phone_hash
from qrumb.identity import new_event_id
from qrumb.ledger import Counters
from qrumb.settings import Settings
from qrumb.transport import Tls

__all__ = [
    "AsyncClient",
    "Client",
    "ClosedError",
    "Counters",
    "DeliveryError",
    "FieldViolation",
    "QrumbError",
    "QueueFullError",
    "Settings",
    "Tls",
    "UndeliveredError",
    "browser_event",
    "device",
    "email_hash",
    "new_event_id",
    "phone_hash",
    "server_event",
]
