"""Where a listing that is worked out anew for each page goes on: after the key of its last row, in the same range."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from qrumb_server.query.rows import BadPlaceError

__all__ = ["DEFAULT_PAGE", "After", "after_of"]

DEFAULT_PAGE: Final = 10_000
_LARGEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """The last row of a page: numbers and texts by which rows are ordered."""

    times: tuple[int, int]
    """The range of the first page, which may have ended at the moment of the question."""
    numbers: Sequence[int]
    texts: Sequence[str]

    @property
    def token(self) -> str:
        """As it is handed out."""
        written = json.dumps([*self.times, list(self.numbers), list(self.texts)], separators=(",", ":"))
        return urlsafe_b64encode(written.encode()).decode().rstrip("=")

    @property
    def parameters(self) -> dict[str, Any]:
        """The values that `condition` names."""
        numbers = {f"after_n{index}": value for index, value in enumerate(self.numbers)}
        return numbers | {f"after_t{index}": value for index, value in enumerate(self.texts)}

    def condition(self, numbers: Sequence[str], texts: Sequence[str]) -> str:
        """SQL: rows that come later, in ascending order of these expressions."""
        values = [f"{{after_n{index}:Int64}}" for index in range(len(numbers))]
        values += [f"{{after_t{index}:String}}" for index in range(len(texts))]
        return f"tuple({', '.join([*numbers, *texts])}) > tuple({', '.join(values)})"


def after_of(token: str, *, numbers: int, texts: int) -> After | None:
    """What was handed out as `token`; None for an empty one. Raises BadPlaceError where it is not of this question."""
    if not token:
        return None
    try:
        from_ms, to_ms, placed, named = json.loads(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        is_ours = len(placed) == numbers and len(named) == texts
        is_ours = is_ours and all(type(one) is int and abs(one) <= _LARGEST for one in (from_ms, to_ms, *placed))
        if not (is_ours and from_ms < to_ms and all(type(one) is str for one in named)):
            raise BadPlaceError
    except (ValueError, TypeError) as error:
        raise BadPlaceError from error
    return After(times=(from_ms, to_ms), numbers=placed, texts=named)
