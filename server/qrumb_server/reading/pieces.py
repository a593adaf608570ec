"""A batch taken apart member by member and event by event: what the compiled reader does at once, in small steps.

Invariants: no step reads more than an event may be long; no more events are taken than asked for; what is not JSON is
found, but for the inside of an event that is too large, of which only the end is looked for.
"""

import json
import re
from collections import Counter
from collections.abc import Generator, Iterator
from typing import Any, Final, NoReturn

from qrumb_server.reading.text import NotFiniteError, TooLargeError, not_json, without_mark

__all__ = ["Pieces"]

# Steps of a search for the end of an event that is too large: each takes a small part of a slice of the event loop.
_SIGNS_PER_STEP: Final = 1_000
# Members beside the events: a later version of the contract may add some.
_MAX_OTHERS: Final = 1_000

_skip_blanks = re.compile(r"[ \t\n\r]*").match
_signs = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\Z)|[\[\]{}]', re.DOTALL).finditer


def _refuse_constant(_name: str) -> NoReturn:
    raise NotFiniteError


# Numbers stay texts: only where they end matters.
_scan: Final = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse_constant).raw_decode


class Pieces:
    """What `steps` has found so far.

    Args:
        text: the body.
        name: of the member whose items are the pieces.
        max_length: characters of one piece, and of any other member.
        most: pieces; the search ends with the first one more.
    """

    def __init__(self, text: bytes, *, name: str, max_length: int, most: int) -> None:
        self._text = text
        self._name = name
        self._max_length = max_length
        self._most = most
        self._names: Counter[str] = Counter()
        self.is_object = False
        self.items: list[bytes] | None = None
        """None: there is no list of that name."""
        self.others: dict[str, Any] = {}
        """The other members, numbers as texts; of equal names the last."""

    @property
    def repeated(self) -> set[str]:
        """Names of members that came more than once."""
        return {name for name, count in self._names.items() if count > 1}

    def steps(self) -> Iterator[None]:
        """Find the pieces, one at a time.

        Raises:
            NotJsonError: the body is not JSON, or more than pieces makes it large.
        """
        try:
            yield from self._read(without_mark(self._text).decode())
        except (ValueError, RecursionError, NotFiniteError) as error:
            raise not_json(self._text, error) from None

    def _read(self, text: str) -> Iterator[None]:
        at = _blanks(text, 0)
        self.is_object = text.startswith("{", at)
        if self.is_object:
            at = yield from self._members(text, _blanks(text, at + 1))
        else:
            _value, at = self._scan_short(text, at)
        if at >= 0 and (at := _blanks(text, at)) < len(text):
            raise json.JSONDecodeError("Extra data", text, at)

    def _members(self, text: str, at: int) -> Generator[None, None, int]:
        """The place behind the object; below 0 where there are too many pieces."""
        while not text.startswith("}", at):
            if not text.startswith('"', at):
                raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
            name, at = _scan(text, at)
            self._names[name] += 1
            at = _blanks(text, at)
            if not text.startswith(":", at):
                raise json.JSONDecodeError("Expecting ':' delimiter", text, at)
            at = _blanks(text, at + 1)
            if name == self._name and text.startswith("[", at):
                at = yield from self._pieces(text, _blanks(text, at + 1))
                if at < 0:
                    return at
            else:
                self.others[name], at = self._scan_short(text, at)
                if len(self.others) > _MAX_OTHERS:
                    raise TooLargeError(f"has more than {_MAX_OTHERS:,} members beside {self._name}")
            yield
            at = _next(text, at, "}")
        return at + 1

    def _pieces(self, text: str, at: int) -> Generator[None, None, int]:
        self.items = []
        while not text.startswith("]", at):
            end = yield from self._end_of_piece(text, at)
            self.items.append(text[at:end].encode())
            if len(self.items) > self._most:
                return -1
            yield
            at = _next(text, end, "]")
        return at + 1

    def _scan_short(self, text: str, at: int) -> tuple[Any, int]:
        """A value and the place behind it."""
        window = text[at : at + self._max_length + 1]
        is_cut = len(window) > self._max_length
        try:
            value, end = _scan(window)
        except json.JSONDecodeError as error:
            if not is_cut:
                raise json.JSONDecodeError(error.msg, text, at + error.pos) from None
            end = len(window)
        if is_cut and end == len(window):
            raise TooLargeError(f"has more than {self._max_length:,} characters beside {self._name}")
        return value, at + end

    def _end_of_piece(self, text: str, at: int) -> Generator[None, None, int]:
        try:
            return self._scan_short(text, at)[1]
        except TooLargeError:
            pass
        depth = 0
        for number, sign in enumerate(_signs(text, at)):
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(sign[0], 0)
            if depth <= 0:
                break
            if number % _SIGNS_PER_STEP == 0:
                yield
        else:
            raise json.JSONDecodeError("Unterminated string", text, len(text))
        end = sign.start() if depth < 0 else sign.end()
        if end - at <= self._max_length:  # not too large, but no JSON
            self._scan_short(text[:end], at)
        return end


def _blanks(text: str, at: int) -> int:
    """The next place that is not a blank."""
    found = _skip_blanks(text, at)
    return found.end() if found else at


def _next(text: str, at: int, close: str) -> int:
    """The place of the next member or item, or of the sign that closes them."""
    at = _blanks(text, at)
    if text.startswith(close, at):
        return at
    if not text.startswith(",", at):
        raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
    following = _blanks(text, at + 1)
    if text.startswith(close, following):
        raise json.JSONDecodeError("Illegal trailing comma", text, at)
    return following
