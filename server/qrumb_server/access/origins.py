"""Origins of pages, as browsers state them in the header Origin: scheme, host and perhaps a port.

A pattern is an origin, or has one wildcard: `https://*.shop.example` for every subdomain (not the domain itself),
`http://localhost:*` for every port. `*` alone is any origin, `null` that of files and sandboxed frames.
"""

import re
from collections.abc import Callable, Iterable

__all__ = ["Origins", "check_pattern"]

_PATTERN = re.compile(r"(https?)://(\*\.)?([a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:.]+\])(?::(\*|[0-9]{1,5}))?")
_DEFAULT_PORTS = {("http", "80"), ("https", "443")}


def check_pattern(pattern: str) -> str:
    """The pattern as browsers spell origins.

    Raises:
        ValueError: it can fit no origin.
    """
    if pattern in {"*", "null"}:
        return pattern
    parts = _PATTERN.fullmatch(pattern.lower())
    if parts is None:
        raise ValueError(
            "should be an origin, such as https://shop.example, https://*.shop.example or http://localhost:*, without "
            "a path and in ASCII (xn--...)"
        )
    scheme, wildcard, host, port = parts.groups()
    shown_port = "" if port is None or (scheme, port) in _DEFAULT_PORTS else f":{port}"
    return f"{scheme}://{wildcard or ''}{host}{shown_port}"


class Origins:
    """A set of patterns."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self.patterns = tuple(patterns)
        self._any = "*" in self.patterns
        self._exact = frozenset(self.patterns)
        self._wild = [_compile(pattern) for pattern in self.patterns if "*" in pattern and pattern != "*"]

    def allow(self, origin: str) -> bool:
        """Whether a page of this origin may send events."""
        return self._any or origin in self._exact or any(fits(origin) for fits in self._wild)


def _compile(pattern: str) -> Callable[[str], re.Match[str] | None]:
    text = re.escape(pattern).replace(r"://\*\.", r"://(?:[a-z0-9_-]+\.)+")
    if text.endswith(r":\*"):
        text = text[: -len(r":\*")] + r"(?::[0-9]{1,5})?"
    return re.compile(text).fullmatch
