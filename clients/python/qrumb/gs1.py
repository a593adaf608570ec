"""GS1 Digital Link paths, as the codes on packages have them: `/01/{gtin}/22/{variant}/10/{lot}/21/{serial}`.

The GTIN names the code; what follows it are labels of the scan. The grammar is that of GS1's standard for trade items:
qualifiers in this order, each at most once.
"""

import re
from typing import Final
from urllib.parse import unquote

__all__ = ["read_digital_link"]

_LABELS: Final = {"22": "variant", "10": "lot", "21": "serial"}
_PATH: Final = re.compile(r"/?01/([0-9]{8}|[0-9]{12,14})(?:/22/([^/]+))?(?:/10/([^/]+))?(?:/21/([^/]+))?/?")
# GS1's set 82: what a variant, a lot and a serial number are written with, 20 characters at most.
_VALUE: Final = re.compile(r"[!\"%&'()*+,\-./0-9:;<=>?A-Z_a-z]{1,20}")
_GTIN_DIGITS: Final = 14


def read_digital_link(path: str) -> tuple[str, dict[str, str]] | None:
    """The GTIN in 14 digits and the labels `variant`, `lot` and `serial`; None: no such path.

    A GTIN whose check digit is wrong is none: it was read wrongly, or made up.
    """
    found = _PATH.fullmatch(path)
    if found is None or not _has_check_digit(gtin := found[1].zfill(_GTIN_DIGITS)):
        return None
    labels = {name: unquote(value) for name, value in zip(_LABELS.values(), found.groups()[1:], strict=True) if value}
    return (gtin, labels) if all(map(_VALUE.fullmatch, labels.values())) else None


def _has_check_digit(gtin: str) -> bool:
    return sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(gtin)) % 10 == 0
