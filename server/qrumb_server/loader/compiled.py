"""Accepted events as the compiled package `qrumb_hotpath` holds them: read, told about and stored by columns.

A batch of which a byte is unusual is read as messages, by `batch.read_batch`, which stays the reference.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, overload

from google.protobuf.descriptor import FieldDescriptor

from qrumb.v1.event_row_pb2 import EventRow
from qrumb_server.errors import BadRowsError
from qrumb_server.instants import EARLIEST_MS, LATEST_MS
from qrumb_server.loader.rows import (
    OWN_COLUMNS,
    VALID_EVENTS,
    PlacedEvent,
    RowId,
    client_time_text,
    event_batch,
    identified_user,
)
from qrumb_server.pipeline.consent import ALLOWED
from qrumb_server.ports import TableBatch
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent

if TYPE_CHECKING:
    from qrumb_hotpath import Rows
else:
    try:
        from qrumb_hotpath import Rows
    except ImportError:
        Rows = None

__all__ = ["COLUMNS", "CompiledEvents", "new_rows", "table_batch"]

_TIME: Final = "DateTime64(3, 'UTC')"
_TYPES: Final = {
    FieldDescriptor.TYPE_STRING: "String",
    FieldDescriptor.TYPE_MESSAGE: _TIME,
    FieldDescriptor.TYPE_UINT32: "UInt8",
    FieldDescriptor.TYPE_FIXED64: "UInt64",
}
_SPECIAL: Final = {
    "event_id": "UUID",
    "conversion_value": "Nullable(Decimal(18, 4))",
    "client_event_time": f"Nullable({_TIME})",
}
# Higher than the compiled reader takes for a field that was sent.
_OWN_NUMBER: Final = 64


def _columns() -> Iterable[tuple[str, str, int]]:
    # Numbers rows first, by which a batch is counted: it costs least to make.
    for number, name in reversed(list(enumerate(OWN_COLUMNS, _OWN_NUMBER))):
        yield name, "UInt32" if name == "segment_row" else "String", number
    for field in EventRow.DESCRIPTOR.fields:
        plain = _SPECIAL.get(field.name, _TYPES[field.type])
        yield field.name, f"Array({plain})" if field.is_repeated else plain, field.number


COLUMNS: Final = tuple(_columns())
"""Of events.valid_events: name, ClickHouse type as it is sent, and number of the field that fills it."""


def new_rows() -> "Rows":
    """For one batch. Raises TypeError where the package is not there."""
    consents = {consent: (allowed.session, allowed.user) for consent, allowed in ALLOWED.items()}
    return Rows(list(COLUMNS), consents, (EARLIEST_MS, LATEST_MS))


class CompiledEvents(Sequence[PlacedEvent]):
    """The events of a batch; as messages only those that are asked for one by one."""

    def __init__(self, rows: "Rows") -> None:
        self.rows = rows
        self.left: dict[int, PlacedEvent] = {}
        """By place, those that are attributed as messages."""

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, place: int) -> PlacedEvent: ...
    @overload
    def __getitem__(self, place: slice) -> list[PlacedEvent]: ...
    def __getitem__(self, place: int | slice) -> PlacedEvent | list[PlacedEvent]:
        places = range(len(self))[place]
        return self._event(places) if isinstance(places, int) else list(map(self._event, places))

    def _event(self, place: int) -> PlacedEvent:
        """As it is by now."""
        if place in self.left:
            return self.left[place]
        event = AcceptedEvent.FromString(self.rows.event(place))
        row = event.row
        row.qr_code_id, row.user_id, row.user_id_source, row.scan_session_id, reasons = self.rows.attributed(place)
        if reasons and reasons != row.fraud_reasons:
            row.fraud_reasons[:], row.is_fraud = reasons, 1
        return PlacedEvent(RowId(*self.rows.row_id(place)), event)

    def leave(self, places: Iterable[int]) -> Sequence[int]:
        """Attribute these as messages, and with them all of their sessions; the places of these, rising."""
        left = self.rows.leave(list(places))
        self.left = {place: self._event(place) for place in left}
        return left

    def batch(self) -> TableBatch:
        """The rows of events.valid_events. Raises BadRowsError where one of the events cannot be made a row."""
        try:
            for place, (_row_id, event) in self.left.items():
                self.rows.put(place, event.SerializeToString(), client_time_text(event.row), identified_user(event))
        except ValueError as error:
            raise BadRowsError(f"cannot be made a row: {type(error).__name__}") from error
        names = [name for name, _type, _number in COLUMNS]
        return TableBatch(table=VALID_EVENTS, columns=names, data=_Data(self.rows, names), native=self.rows.native)


class _Data(Sequence[Sequence[Any]]):
    """The columns as lists, each made when it is asked for."""

    def __init__(self, rows: "Rows", names: Sequence[str]) -> None:
        self._rows = rows
        self._names = names
        self._made: dict[str, Sequence[Any]] = {}

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, at: int) -> Sequence[Any]: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Sequence[Any]]: ...
    def __getitem__(self, at: int | slice) -> Sequence[Any] | Sequence[Sequence[Any]]:
        names = self._names[at]
        return self._column(names) if isinstance(names, str) else list(map(self._column, names))

    def _column(self, name: str) -> Sequence[Any]:
        if name not in self._made:
            values = self._rows.column(name)
            if name == "conversion_value":
                values = [Decimal(text) if text else None for text in values]
            self._made[name] = values
        return self._made[name]


def table_batch(events: Sequence[PlacedEvent]) -> TableBatch:
    """As `rows.event_batch`."""
    return events.batch() if isinstance(events, CompiledEvents) else event_batch(events)
