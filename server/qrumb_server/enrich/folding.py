"""Wide characters as plain ones: what a text says to a reader, however it is written."""

import re
import unicodedata
from typing import Final

__all__ = ["FOLDS", "folded"]

_WIDE_RUN: Final = re.compile(r"[^\x00-\x7f]+")
# They stay as they are: one becomes up to 18 letters, and none belongs in an address.
_ARABIC_WORDS: Final = range(0xFDF0, 0xFDFE)
_is_word = re.compile(r"\w").match
# Characters whose folded forms are remembered, so that a text of thousands takes a ms.
_MAX_REMEMBERED: Final = 20_000
# By Unicode category: marks belong to the letter before them; controls and formats are invisible.
_SIGNS: Final = {"Mn": "", "Mc": "", "Me": "", "Cf": "\0", "Cc": "\0"}
# Letters and symbols by their class, yet without ink: Hangul fillers, the blank Braille cell.
_INKLESS: Final = str.maketrans("\u115f\u1160\u2800", "\0\0\0")


class _Folds(dict[int, str]):
    """What each character becomes: compatibility forms plain ones, marks nothing, anything invisible NUL."""

    def __missing__(self, point: int) -> str:
        char = chr(point)
        if point not in _ARABIC_WORDS:
            plain = unicodedata.normalize("NFKD", char).translate(_INKLESS)
            char = "".join(
                one if one.isascii() or _is_word(one) else _SIGNS.get(unicodedata.category(one), one) for one in plain
            )
        if len(self) >= _MAX_REMEMBERED:
            self.clear()
        self[point] = char
        return char


FOLDS: Final = _Folds()
"""What each character becomes; filled as characters are met."""


def folded(text: str) -> str:
    """The text with every character beyond ASCII folded by itself."""
    return _WIDE_RUN.sub(lambda run: run[0].translate(FOLDS), text)
