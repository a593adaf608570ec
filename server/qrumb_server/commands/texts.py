"""Senders' texts on a terminal or in a spreadsheet: none may control it, or look like another."""

import re
from typing import Final

__all__ = ["no_formula", "visible"]

# Control characters, what writes from right to left against the letters, and what has no width. Joiners stay: emoji and
# several scripts are made of them.
_UNSEEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\xad\u200b\u2028-\u202e\u2066-\u2069\ufeff]")
# Of a text that is laid out in lines.
_UNSEEN_IN_LINES: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u200b\u2028-\u202e\u2066-\u2069\ufeff]")
# As spreadsheets take a cell for one; numbers are none.
_is_formula = re.compile(r"(?!-?[0-9]+(\.[0-9]+)?\Z)[=+\-@\t\r]").match


def no_formula(text: str) -> str:
    """The text as a cell of a CSV file, as the console writes it: an apostrophe before what begins like a formula."""
    return f"'{text}" if _is_formula(text) else text


def visible(text: str, *, has_lines: bool = False) -> str:
    r"""The text with an escape for each character that would not be seen: `\u001b`."""
    unseen = _UNSEEN_IN_LINES if has_lines else _UNSEEN
    return unseen.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
