"""Rows of the store as messages of the contract, and where a listing of them goes on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from qrumb.v1.event_row_pb2 import EventRow
from qrumb.v1.query_service_pb2 import CurrencyAmount, RejectedEvent
from qrumb.v1.receipt_pb2 import Violation
from qrumb_server.enrich.currency import currency_decimals
from qrumb_server.instants import set_time, timestamp
from qrumb_server.reasons.events import add_help

__all__ = [
    "BadPlaceError",
    "Place",
    "amount_text",
    "amounts_of",
    "as_event_row",
    "as_rejected_event",
    "as_violations",
    "first_fitting",
    "parse_place",
    "place_text",
]

# gRPC's clients take 4 MiB unless told otherwise; a page that would be longer ends early.
MAX_PAGE_BYTES: Final = 3 * 1024 * 1024
_M = TypeVar("_M", bound=Message)

_FIELDS: Final = EventRow.DESCRIPTOR.fields_by_name


def first_fitting(messages: Iterable[_M]) -> list[_M]:
    """As many of the first as make a page of bearable length; at least one, where there is one."""
    page: list[_M] = []
    left = MAX_PAGE_BYTES
    for message in messages:
        left -= message.ByteSize()
        if page and left < 0:
            break
        page.append(message)
    return page


def as_event_row(row: Mapping[str, Any]) -> EventRow:
    """A row of events.valid_events or of a view of it."""
    message = EventRow()
    for name, value in row.items():
        field = _FIELDS.get(name)
        if field is None or value is None:
            continue
        if field.message_type is Timestamp.DESCRIPTOR:
            set_time(getattr(message, name), value)
        elif field.is_repeated:
            getattr(message, name).extend(value)
        elif name == "conversion_value":
            message.conversion_value = amount_text(value, row["conversion_currency"])
        else:
            setattr(message, name, value)
    if text := row.get("client_event_time_text"):
        message.client_event_time.FromJsonString(text)
    return message


def amount_text(value: Decimal, currency: str) -> str:
    """With the decimals of its currency, as it was taken; the column has four for all."""
    decimals = currency_decimals().get(currency, 4)
    return format(value.quantize(Decimal(1).scaleb(-decimals)), "f")


def amounts_of(money: Sequence[Sequence[Any]]) -> list[CurrencyAmount]:
    """Of the currencies and sums that the engine's sumMap gives, in order of the currency."""
    pairs = sorted(zip(money[0], money[1], strict=True))
    return [CurrencyAmount(currency=currency, amount=amount_text(amount, currency)) for currency, amount in pairs]


def as_rejected_event(row: Mapping[str, Any]) -> RejectedEvent:
    """A row of events.invalid_events."""
    return RejectedEvent(
        site_id=row["site_id"],
        event_id=row["event_id"],
        source=row["source"],
        received_time=timestamp(row["received_time"]),
        violations=as_violations(row),
        payload=row["payload"],
    )


def as_violations(row: Mapping[str, Any]) -> list[Violation]:
    """The violations of a row of events.invalid_events; a reason that this version does not know is unspecified."""
    known = Violation.Reason.DESCRIPTOR.values_by_name
    found = [
        Violation(
            field=name,
            reason=reason if reason in known else None,
            description=description,
        )
        for reason, name, description in zip(row["reasons"], row["fields"], row["descriptions"], strict=True)
    ]
    add_help(found)
    return found


class BadPlaceError(Exception):
    """The text is none that this service gave out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A row's place in the order of receipt."""

    time_ms: int
    segment_id: str
    segment_row: int

    @property
    def text(self) -> str:
        """As it is handed out."""
        return f"{self.time_ms}.{self.segment_row}.{self.segment_id}"


def place_text(row: Mapping[str, Any]) -> str:
    """The place of a row, as it is handed out."""
    return Place(time_ms=row["received_time"], segment_id=row["segment_id"], segment_row=row["segment_row"]).text


def parse_place(text: str) -> Place:
    """The place that was handed out as `text`. Raises BadPlaceError."""
    time, _, rest = text.partition(".")
    number, _, segment_id = rest.partition(".")
    is_ours = time.isascii() and time.isdecimal() and number.isascii() and number.isdecimal()
    if not (is_ours and len(time) < 15 and len(number) < 10):
        raise BadPlaceError
    return Place(time_ms=int(time), segment_id=segment_id, segment_row=int(number))
