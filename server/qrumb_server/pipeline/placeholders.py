"""Texts that stand where an identifier should be and name no one: `undefined`, `{{user_id}}`, the hash of either.

Tag managers, templates and languages write them where they have no value. Taken for identifiers they would join
strangers: everyone whose id was missing would be one user. Case and the white space around a text do not count.
"""

import re
from functools import cache
from hashlib import sha256
from typing import Final

__all__ = [
    "FILLER_PATTERN",
    "TEMPLATE_PATTERN",
    "WORDS",
    "is_placeholder",
    "is_placeholder_hash",
    "placeholder_hashes",
]

# Nothing that a site may well call a user or a session: `test`, `customer` and `11` are names.
WORDS: Final = frozenset(
    {
        *("undefined", "null", "nil", "none", "nan", "n/a", "n.a.", "infinity", "-infinity", "true", "false"),
        *("not set", "not_set", "notset", "not available", "unknown", "unset", "missing", "no value", "novalue"),
        *("anonymous", "anon", "guest", "nobody", "object", "[object object]", "object object", "[object undefined]"),
        *(
            "(not set)",
            "(none)",
            "(null)",
            "(empty)",
            "(unknown)",
            "(undefined)",
            "<null>",
            "<none>",
            "<nil>",
            "<unset>",
        ),
        *("userid", "user_id", "user id", "user-id", "customer_id", "customerid", "external_id", "externalid"),
        *("email_hash", "phone_hash", "session_id", "sessionid", "scan_session_id", "scansessionid"),
        *("your_user_id", "your-user-id", "your user id", "user_id_here", "insert_id_here"),
        *("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    }
)
# Left over of a template: {{x}}, ${x}, <%= x %>, %x%, {x}, __x__, %s.
TEMPLATE_PATTERN: Final = r"(?s:\{\{.*|\$\{.*|\$\(.*\)|<%.*%>|%[a-z_]+%|\{[^{}]*\}|<[a-z_ -]+>|__[a-z_]+__|%[sd])"
# Zeros, crosses or marks alone: 0, 000000, xxxx, -, ??.
FILLER_PATTERN: Final = r"0+|x{2,}|[-_.,:;?!*/\\#\s]+"
_is_template: Final = re.compile(TEMPLATE_PATTERN).fullmatch
_is_filler: Final = re.compile(FILLER_PATTERN).fullmatch
# What a phone's hash is made of where there is no number.
_NO_NUMBERS: Final = ("+", "00", "+1", "123", "1234567", "12345678", "123456789", "1234567890", "+1234567890")
# As clients and people write the words before they hash them: trimmed and lowered, or as they are.
_SPELLINGS: Final = (str.lower, str.upper, str.capitalize, str.title)
_TYPED: Final = ("NaN", "[object Object]", "[object Undefined]")
_MAX_FILLER: Final = 16


def is_placeholder(text: str) -> bool:
    """Whether an identifier names no one. The empty text is no identifier at all, and none."""
    if not text:
        return False
    folded = text.strip().lower()
    return not folded or folded in WORDS or _is_filler(folded) is not None or _is_template(folded) is not None


def is_placeholder_hash(hash_hex: str) -> bool:
    """Whether a SHA-256 as 64 hex digits, in lower case, is that of such a text, or a filler itself."""
    return hash_hex in placeholder_hashes() or _is_filler(hash_hex) is not None


@cache
def placeholder_hashes() -> frozenset[str]:
    """Of all that stands for no one, however it is written; some 2,000."""
    texts = {" ", "  ", "\t", "\n", *_TYPED, *_NO_NUMBERS}
    texts.update(spell(word) for word in WORDS for spell in _SPELLINGS)
    texts.update(character * length for character in "0123456789x-?.* " for length in range(1, _MAX_FILLER + 1))
    texts.update("+" + "0" * length for length in range(1, _MAX_FILLER + 1))
    for opening, closing in (("{{", "}}"), ("${", "}"), ("{", "}")):
        texts.update(f"{opening}{word}{closing}" for word in (*WORDS, "email", "phone"))
    return frozenset(sha256(text.encode()).hexdigest() for text in texts)
