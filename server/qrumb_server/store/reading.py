"""Which statements an export takes: one that reads, and nothing that says where its result goes."""

import re
from typing import Final

from qrumb_server.errors import StoreRefusedError
from qrumb_server.store.errors import READ_ONLY

__all__ = ["ONLY_READS", "check_reading"]

ONLY_READS: Final = "qrumb query only reads: one SELECT, SHOW, DESCRIBE, EXISTS or EXPLAIN"

_READING: Final = re.compile(r"\(*(SELECT|WITH|SHOW|DESCRIBE|EXISTS|EXPLAIN)\b").match
# Literals and quoted names may hold anything.
_QUOTED: Final = re.compile(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_DIRECTED: Final = re.compile(r" (INTO OUTFILE|FORMAT \w+$)").search


def check_reading(statement: str) -> None:
    """Look at a statement as the engine's parser wrote it.

    Raises:
        StoreRefusedError: it would change something, or names a file or a format of its own.
    """
    if not _READING(statement):
        raise StoreRefusedError(
            f"{ONLY_READS}; {statement.partition(' ')[0]} is none of them, and nothing was done", READ_ONLY
        )
    if _DIRECTED(_QUOTED.sub("''", statement)):
        raise StoreRefusedError("leave INTO OUTFILE and FORMAT out: --format says how the result is printed")
