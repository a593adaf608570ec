"""Keys among a sender's own fields under which raw e-mail addresses and phone numbers are usually sent.

An address itself is found by what it looks like and refused; a phone number looks like any other number, so its key is
all that tells. Looked for in canonical JSON, where a quote within a text is escaped and a colon follows its key at
once: what matches is a key.
"""

import re
from typing import Final

__all__ = ["PERSONAL_KEY_PATTERN", "personal_keys"]

# With something behind them: a switch (`"phone": true`) and an empty text tell of no one.
_VALUE: Final = r'[_-]?(?:address|number|no)?)":(?:"[^"]|-?[0-9])'
_MAIL: Final = rf'"(e[_-]?mail{_VALUE}'
_PHONE: Final = rf'"((?:tele|mobile[_-]?)?phone{_VALUE}'
_KINDS: Final = (
    ("mail", "email_hash", re.compile(_MAIL, re.IGNORECASE).search),
    ("phone", "phone_hash", re.compile(_PHONE, re.IGNORECASE).search),
)
PERSONAL_KEY_PATTERN: Final = f"(?i:{_MAIL}|{_PHONE})"
"""All of them as one expression."""


def personal_keys(canonical: str) -> list[tuple[str, str]]:
    """The first key of each kind, and the field of user_identifiers that is meant for the hash of its value."""
    lowered = canonical.lower()
    return [(found[1], meant) for word, meant, search in _KINDS if word in lowered and (found := search(canonical))]
