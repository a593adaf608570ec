"""What an address of the collector may be, and what the environment says of it: the same in every client.

No error quotes what it refuses: an address may have a key in it, and errors are logged.
"""

import os
import re
from dataclasses import dataclass
from typing import Any, Final, Self

__all__ = ["DEFAULT_URL", "Address", "checked_key", "from_environment"]

DEFAULT_URL: Final = "grpc://127.0.0.1:9090"
# Whether each scheme is TLS, and the port that it has where none is given; gRPC alone has no usual one.
_SCHEMES: Final = {"grpc": (False, 0), "grpcs": (True, 443), "http": (False, 80), "https": (True, 443)}
_MAX_PORT: Final = 65_535
_VISIBLE: Final = re.compile(r"[!-~]*")
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\]")
_PORT: Final = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where calls go: `target` is host:port."""

    target: str
    is_secure: bool

    @classmethod
    def parse(cls, text: str, name: str = "url") -> Self:
        """Read `grpc://host:port`, `grpcs://`, `http://`, `https://` or `host:port`.

        Raises:
            ValueError: it is none; the text begins with `name`, which says where the address stands.
        """
        if not text:
            raise ValueError(f"{name}: is empty")
        if not _VISIBLE.fullmatch(text):
            raise ValueError(
                f"{name}: has a character that no address has; a name in other letters is written with xn--"
            )
        scheme, separator, rest = text.partition("://")
        if not separator:
            scheme, rest = "grpc", text
        if scheme.lower() not in _SCHEMES:
            raise ValueError(f"{name}: has a scheme that is none of {', '.join(_SCHEMES)}")
        is_secure, usual_port = _SCHEMES[scheme.lower()]
        authority, beyond = re.fullmatch(r"([^/?#\\]*)(.*)", rest).groups()  # type: ignore[union-attr]  # fits any text
        if "@" in authority:
            raise ValueError(f"{name}: has a user or a password in it; the key is a setting of its own")
        if beyond not in ("", "/"):
            raise ValueError(f"{name}: has more than a scheme, a host and a port; calls have paths of their own")
        host, port = _host_and_port(authority, name)
        if port is None and not usual_port:
            raise ValueError(f"{name}: has no port; a node's own is 9090")
        return cls(target=f"{host}:{usual_port if port is None else port}", is_secure=is_secure)


def _host_and_port(authority: str, name: str) -> tuple[str, int | None]:
    host, separator, port = authority, "", ""
    if not authority.endswith("]"):
        host, separator, port = authority.rpartition(":")
        if not separator:
            host, port = authority, ""
    if not host:
        raise ValueError(f"{name}: has no host")
    if not _HOST.fullmatch(host):
        raise ValueError(f"{name}: has a host that is neither a name nor an IP address, IPv6 in brackets")
    if not separator:
        return host, None
    if not _PORT.fullmatch(port) or not 1 <= int(port) <= _MAX_PORT:
        raise ValueError(f"{name}: has a port that is not 1 to {_MAX_PORT}")
    return host, int(port)


def checked_key(key: str, name: str = "key") -> str:
    """The key, if a header can carry it.

    Raises:
        ValueError: it cannot; the text begins with `name` and does not quote the key.
    """
    if not _VISIBLE.fullmatch(key):
        raise ValueError(f"{name}: has a character that no key has, such as a line feed")
    return key


def from_environment() -> dict[str, Any]:
    """Arguments of a client: `url`, `key` and `spool_dir` of QRUMB_URL, QRUMB_KEY and QRUMB_SPOOL_DIR, where not empty.

    Raises:
        ValueError: one of them cannot be meant; it names the variable.
    """
    url, key = os.environ.get("QRUMB_URL", ""), os.environ.get("QRUMB_KEY", "")
    if url:
        Address.parse(url, "QRUMB_URL")
    spool_dir = os.environ.get("QRUMB_SPOOL_DIR", "")
    found = {"url": url, "key": checked_key(key, "QRUMB_KEY"), "spool_dir": spool_dir}
    return {name: value for name, value in found.items() if value}
