"""Normalise, then hash: the forms in which a person may be named to the collector.

Invariant: the raw text never leaves the process and no error quotes it. All clients of qrumb make the same hash of the
same person; clients/cases/hashes.yaml has the vectors.
"""

import hashlib
import re
import unicodedata
from typing import Final

__all__ = ["email_hash", "phone_hash"]

_drop_phone_signs = re.compile(r"[\s.\-()/]+").sub
# E.164: at most 15 digits, none of the country codes starts with 0; no number has fewer than 7.
_is_e164 = re.compile(r"\+[1-9][0-9]{6,14}").fullmatch
_REFUSED_EMAIL: Final = "email is no e-mail address"
_REFUSED_PHONE: Final = "phone is no international number: it needs + or 00 and the country code"


def email_hash(email: str) -> str:
    """SHA-256 of the address, trimmed and lower-cased, as 64 hex digits.

    Raises:
        ValueError: it is no e-mail address.
    """
    # Letter by letter: the final sigma of some languages' lower() would make another person of the same one.
    normal = "".join(char.lower() for char in email.strip())
    local, _, domain = normal.partition("@")
    is_address = (
        bool(local)
        and "@" not in domain
        and "." in domain.strip(".")
        and not domain.startswith(".")
        and not domain.endswith(".")
        and not any(char.isspace() or unicodedata.category(char) in {"Cc", "Cs"} for char in normal)
    )
    if not is_address:
        raise ValueError(_REFUSED_EMAIL)
    return hashlib.sha256(normal.encode()).hexdigest()


def phone_hash(phone: str) -> str:
    """SHA-256 of the number in E.164 form with the leading +, as 64 hex digits.

    Raises:
        ValueError: it is no international number.
    """
    normal = _drop_phone_signs("", phone)
    if normal.startswith("00"):
        normal = "+" + normal[2:]
    if not _is_e164(normal):
        raise ValueError(_REFUSED_PHONE)
    return hashlib.sha256(normal.encode()).hexdigest()
