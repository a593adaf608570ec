"""Client of the qrumb event collector; the contract's messages are in `qrumb.v1`.

Names are loaded when they are first used: who wants `qrumb.v1` alone, as the server does, does not load gRPC.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from qrumb.aio import AsyncClient
    from qrumb.carry import Carry, current_session
    from qrumb.client import Client
    from qrumb.errors import ClosedError, DeliveryError, FieldViolation, QrumbError, QueueFullError, UndeliveredError
    from qrumb.events import browser_event, device, scan_session, server_event
    from qrumb.hashing import email_hash, phone_hash
    from qrumb.identity import event_id_for, new_event_id
    from qrumb.ledger import Counters
    from qrumb.redirect import Redirect, RedirectAnswer
    from qrumb.settings import Settings
    from qrumb.signing import sign_scan_session_id
    from qrumb.transport import Tls

__all__ = [
    "AsyncClient",
    "Carry",
    "Client",
    "ClosedError",
    "Counters",
    "DeliveryError",
    "FieldViolation",
    "QrumbError",
    "QueueFullError",
    "Redirect",
    "RedirectAnswer",
    "Settings",
    "Tls",
    "UndeliveredError",
    "browser_event",
    "current_session",
    "device",
    "email_hash",
    "event_id_for",
    "new_event_id",
    "phone_hash",
    "scan_session",
    "server_event",
    "sign_scan_session_id",
]

_MODULES: Final = {
    "aio": ("AsyncClient",),
    "carry": ("Carry", "current_session"),
    "client": ("Client",),
    "errors": ("ClosedError", "DeliveryError", "FieldViolation", "QrumbError", "QueueFullError", "UndeliveredError"),
    "events": ("browser_event", "device", "scan_session", "server_event"),
    "hashing": ("email_hash", "phone_hash"),
    "identity": ("event_id_for", "new_event_id"),
    "ledger": ("Counters",),
    "redirect": ("Redirect", "RedirectAnswer"),
    "settings": ("Settings",),
    "signing": ("sign_scan_session_id",),
    "transport": ("Tls",),
}
_MODULE_OF: Final = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
