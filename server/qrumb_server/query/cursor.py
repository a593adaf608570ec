"""Where a listing goes on: the place of its last row, as text that a caller hands back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["BadPlaceError", "Place", "parse_place", "place_text"]


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
