"""What is left of an event whose person was erased, for rows that are stored and rows to come.

The contract says it: the option erased_as on the fields of EventRow. What was counted stays counted: the times, the
site, the QR code, the money and the marks stay.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from google.protobuf.descriptor import FieldDescriptor

from qrumb.v1.event_row_pb2 import EventRow

__all__ = ["BLANKED", "ERASED", "blank"]


def _blanked() -> Iterator[tuple[str, str | int | list[str]]]:
    for field in EventRow.DESCRIPTOR.fields:
        for option, text in field.GetOptions().ListFields():
            if option.full_name == "qrumb.v1.erased_as":
                if field.is_repeated:
                    yield field.name, []
                else:
                    yield field.name, text if field.type == FieldDescriptor.TYPE_STRING else int(text)


BLANKED: Final[Mapping[str, str | int | list[str]]] = dict(_blanked())
"""Columns of events.valid_events with what erasure puts into them; fingerprint 0 says that nothing can be compared."""
ERASED: Final = BLANKED["user_id_source"]
"""The user_id_source of an erased row: no session lends it a user."""


def blank(row: EventRow, scan_session_id: str) -> None:
    """Take a person out of a row that is not stored yet; `scan_session_id` is the name that the session has now."""
    for column, value in BLANKED.items():
        row.ClearField(column)
        if value:
            setattr(row, column, value)
    row.scan_session_id = scan_session_id
