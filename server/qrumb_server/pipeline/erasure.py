"""What is left of an event whose person was erased: one table of columns, for rows that are stored and rows to come.

What was counted stays counted: the times, the site, the QR code, the money and the marks stay.
"""

from collections.abc import Mapping
from typing import Final

from qrumb.v1.event_row_pb2 import EventRow

__all__ = ["BLANKED", "ERASED", "blank"]

ERASED: Final = "erased"
"""The user_id_source of an erased row: no session lends it a user."""
BLANKED: Final[Mapping[str, str | int]] = {
    "user_id": "",
    "user_id_source": ERASED,
    "page_url": "",
    "page_title": "",
    "referrer": "",
    "metadata": "{}",
    "city": "",
    "fingerprint": 0,
}
"""Columns of events.valid_events with what erasure puts into them; fingerprint 0 says that nothing can be compared."""


def blank(row: EventRow) -> None:
    """Take a person out of a row that is not stored yet: a repeated arrival of an event that was erased."""
    for column, value in BLANKED.items():
        setattr(row, column, value)
    row.scan_session_id = ""
