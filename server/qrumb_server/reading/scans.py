"""The body of a registration: one scan session, or a list of them. What the JSON edge of ScanSessionService calls.

Invariant: every session of a body is read, in order; or the whole body is refused.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from qrumb.v1.receipt_pb2 import EventWarning, Violation
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb_server.model import Reading
from qrumb_server.reading.body import MAX_EVENT_BYTES, BatchBody, batch_of, pieces_of
from qrumb_server.reading.event import ReadScan, read_scan_session
from qrumb_server.reading.mask import stated_site
from qrumb_server.reading.pieces import Pieces
from qrumb_server.reading.text import NotJsonError, TooLargeError, check_values, read_value

__all__ = ["batch_of_scans", "pieces_of_scans", "read_scan", "read_scans", "unread_scan"]

_LIST: Final = "scan_sessions"
_LIST_IN_CAMEL_CASE: Final = "scanSessions"
_BESIDE_SESSIONS: Final = "the batch, not this session, has a member beside scan_sessions, which was not looked at"


def read_scan(text: bytes) -> ReadScan:
    """The scan session that a body is.

    Raises:
        NotJsonError: the body is not JSON, or too long to be looked at.
    """
    if len(text) > MAX_EVENT_BYTES:
        raise TooLargeError(f"is larger than {MAX_EVENT_BYTES:,} bytes")
    check_values(text)
    return read_scan_session(read_value(text))


def pieces_of_scans(text: bytes, *, most: int) -> Pieces:
    """A body to be taken apart step by step, for `batch_of_scans`."""
    return pieces_of(text, most=most, name=_list_of(text))


def batch_of_scans(text: bytes, pieces: Pieces) -> BatchBody:
    """The sessions of a body that was taken apart. Raises NotJsonError as `body.batch_of`."""
    return batch_of(pieces, _list_of(text))


def read_scans(body: BatchBody) -> Iterator[ReadScan]:
    """The sessions of a batch one after another. What is odd about the batch is said with its first."""
    is_odd = bool(body.unknown) or body.is_dry_run
    for index, item in enumerate(body.items):
        try:
            read = read_scan(item)
        except NotJsonError as error:  # for its size, its depth or its values: for all else the batch would be no JSON
            read = unread_scan(item, error, "the scan session")
        if index == 0 and is_odd:
            said = EventWarning(code=EventWarning.UNKNOWN_FIELD, description=_BESIDE_SESSIONS)
            read = ReadScan(read.message, replace(read.reading, warnings=(said, *read.reading.warnings)))
        yield read


def unread_scan(text: bytes, error: NotJsonError, what: str = "the body") -> ReadScan:
    """Stands for a text that could not be read: one rejected session for all that may be in it."""
    message = ScanSession(site_id=stated_site(text))
    fault = Violation(reason=error.reason, description=f"{what} {error}")
    untold = {known.name: None for known in message.DESCRIPTOR.fields}
    return ReadScan(message=message, reading=Reading(violations=(fault,), unread=untold))


def _list_of(text: bytes) -> str:
    """Its name, in the spelling that the body has."""
    is_camel_case = f'"{_LIST}"'.encode() not in text and f'"{_LIST_IN_CAMEL_CASE}"'.encode() in text
    return _LIST_IN_CAMEL_CASE if is_camel_case else _LIST
