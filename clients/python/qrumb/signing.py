"""Signed scan sessions: the QR redirect signs the id that it gives to a browser, so that no browser can make one up.

A signed id is `<name>.<signature>`, the signature being the first 16 bytes of HMAC-SHA256 over site_id, a line feed and
the name, in URL-safe base64 (22 characters). The key is the site's session secret, as UTF-8.
"""

import hmac
from base64 import urlsafe_b64encode
from typing import Final

__all__ = ["is_signed", "sign_scan_session_id"]

_SIGNATURE_BYTES: Final = 16
_MAX_ID: Final = 128


def sign_scan_session_id(secret: str, site_id: str, name: str) -> str:
    """The scan_session_id for a session of this name.

    Args:
        secret: the site's session secret (`qrumb sites session-secret`).
        name: unique within the site and not to be guessed, such as a UUID; 1 to 105 characters.

    Raises:
        ValueError: the name is empty, or the id would be longer than 128 characters.
    """
    signed = f"{name}.{_signature(secret, site_id, name)}"
    if not name or len(signed) > _MAX_ID:
        raise ValueError("the name of a scan session has 1 to 105 characters")
    return signed


def is_signed(secret: str, site_id: str, scan_session_id: str) -> bool:
    """Whether the id was signed with this secret for this site."""
    name, separator, signature = scan_session_id.rpartition(".")
    return bool(separator) and hmac.compare_digest(_signature(secret, site_id, name).encode(), signature.encode())


def _signature(secret: str, site_id: str, name: str) -> str:
    digest = hmac.digest(secret.encode(), f"{site_id}\n{name}".encode(), "sha256")
    return urlsafe_b64encode(digest[:_SIGNATURE_BYTES]).rstrip(b"=").decode()
