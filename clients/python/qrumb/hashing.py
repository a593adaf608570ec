"""Normalise, then hash: the forms in which a person may be named to the collector.

Invariant: the raw text never leaves the process and no error quotes it. All clients of qrumb make the same hash of the
same person; clients/cases/hashes.yaml has the vectors.
"""

import hashlib

from qrumb.normal_forms import normal_email, normal_phone

__all__ = ["email_hash", "phone_hash"]


def email_hash(email: str) -> str:
    """SHA-256 of the address in its normal form, as 64 hex digits.

    Raises:
        ValueError: it is not one e-mail address.
    """
    return hashlib.sha256(normal_email(email).encode()).hexdigest()


def phone_hash(phone: str) -> str:
    """SHA-256 of the number in E.164 form with the leading +, as 64 hex digits.

    Raises:
        ValueError: it is not an international number, or takes `qrumb[phone]` to be understood.
    """
    return hashlib.sha256(normal_phone(phone).encode()).hexdigest()
