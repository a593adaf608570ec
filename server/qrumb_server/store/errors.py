"""ClickHouse error numbers by what the caller can do about them; shared by every adapter.

An insert is atomic only per partition, so most errors in its middle may leave a part of the batch behind.
Only numbers that are raised before the first part is written count as "nothing was written"; every other
number, known or not, is an unknown outcome. That is never wrong: sending the batch again with
`insert_missing` stores each row once either way, whereas a number wrongly held for "nothing written" doubles
rows, and one wrongly held for "bad rows" turns good events into dead letters.
"""

import re

from qrumb_server.errors import (
    BadRowsError,
    OutcomeUnknownError,
    StoreError,
    StoreRefusedError,
    StoreUnavailableError,
)

__all__ = [
    "CANCELLED",
    "DAMAGED",
    "FORGET_DONE_MUTATIONS",
    "KILL_FAILED_MUTATIONS",
    "MUTATION_FAILED",
    "NOT_ENOUGH_SPACE",
    "OF_ONE_HOST",
    "READ_ONLY",
    "STALE_REPLICAS",
    "error_code",
    "insert_error",
    "query_error",
]

MUTATION_FAILED = 341
# The statement would write, and its session may not.
READ_ONLY = 164

# No replica of a shard has all that was inserted, and one that has was asked for.
STALE_REPLICAS = 369

# The statement was ended, since its caller had left.
CANCELLED = 394

# The engine's number for a disk without room.
NOT_ENOUGH_SPACE = 243

# One that failed stays and is tried again for ever, and every later one waits behind it. The caller was told, and
# asks again.
KILL_FAILED_MUTATIONS = "KILL MUTATION WHERE database = 'events' AND NOT is_done AND latest_fail_reason != '' SYNC"

# The engine keeps the last hundred statements of a table as text in its folder, and with those of an erasure the very
# names that were erased.
FORGET_DONE_MUTATIONS = "KILL MUTATION WHERE database = 'events' AND is_done SYNC"

# One number, two meanings: too many parts (the merges lag: wait) or one block over too many partitions (bad rows).
_TOO_MANY_PARTS = 252

# Raised before an insert writes: too many queries, no free connection, too few replicas, previous quorum unfinished.
_BEFORE_WRITING = frozenset({202, 203, 285, 286})

# Schema, rights or statement: wrong column, unknown identifier, table or database, syntax, setting, read-only, login.
_REFUSED = frozenset({16, 42, 43, 46, 47, 53, 60, 62, 81, 115, 164, 192, 193, 194, 291, 497, 516})

# Values that cannot be parsed, are out of range or break a constraint. Seen while the block is read, before a write.
_BAD_ROWS = frozenset({6, 26, 27, 38, 41, 69, 72, 117, 131, 321, 349, 376, 407, 469, 691})

# What failed so may succeed later: time or memory is up, the network or the disk failed, another host of the cluster
# ended, it was cancelled, a mutation was given up half done, replicas lag or alter the same table at once.
_PASSING = frozenset(
    {0, 32, 74, 75, 76, 159, 160, 202, 203, 209, 210, 225, 236, 241, 242, 243, 279}
    | {289, 305, 319, 341, 369, 394, 425, 517, 999}
)

# What another host of a cluster may well do: this one's files cannot be written, it has no room or no free connection,
# or its tables only read, since it has lost its keeper.
OF_ONE_HOST = frozenset({74, 75, 76, 202, 203, 225, 242, 243, 319, 999})

# A part that cannot be read as it was written: torn, damaged, or files of it are missing. Retried, because it is set
# aside meanwhile; see `parts`.
DAMAGED = frozenset({33, 40, 107, 226, 228, 246, 271, 432})

# An engine's text may quote values and statements; a log line needs no more than its beginning.
_MAX_TEXT_CHARS = 600

_CODE = re.compile(r"\bCode: (\d+)\b")


def error_code(text: str) -> int:
    """ClickHouse's own number in the text of an exception, 0 where there is none."""
    found = _CODE.search(text)
    return int(found.group(1)) if found else 0


def insert_error(code: int, text: str) -> StoreError:
    """What a failed insert means for its batch; `text` decides where a number has two meanings."""
    return _insert_class(code, text)(text[:_MAX_TEXT_CHARS], code)


def query_error(code: int, text: str) -> StoreError:
    """What a failed read or mutation means: try later (`StoreUnavailableError`) or never (`StoreRefusedError`)."""
    kind = StoreUnavailableError if code in _PASSING | DAMAGED else StoreRefusedError
    return kind(text[:_MAX_TEXT_CHARS], code)


def _insert_class(code: int, text: str) -> type[StoreError]:
    if code == _TOO_MANY_PARTS:
        return BadRowsError if "partitions" in text else StoreUnavailableError
    if code in _BEFORE_WRITING:
        return StoreUnavailableError
    if code in _REFUSED:
        return StoreRefusedError
    return BadRowsError if code in _BAD_ROWS else OutcomeUnknownError
