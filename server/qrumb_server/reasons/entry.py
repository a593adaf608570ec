"""What an entry of the table says, and where its documentation is."""

from dataclasses import dataclass
from enum import StrEnum
from string import Formatter
from typing import Final

from grpc import StatusCode

__all__ = ["DOCS_URL", "DOMAIN", "HTTP_STATUS", "Reason", "Retry", "help_url"]

DOCS_URL: Final = "https://qrumb.dev/errors"
"""Where docs/errors.md is published; docs/releasing.md says of which names there are accounts."""

DOMAIN: Final = "qrumb"
"""Of every ErrorInfo."""
# As Envoy's transcoder maps them.
HTTP_STATUS: Final = {
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.FAILED_PRECONDITION: 400,
    StatusCode.UNAUTHENTICATED: 401,
    StatusCode.PERMISSION_DENIED: 403,
    StatusCode.NOT_FOUND: 404,
    StatusCode.RESOURCE_EXHAUSTED: 429,
    StatusCode.INTERNAL: 500,
    StatusCode.UNIMPLEMENTED: 501,
    StatusCode.UNAVAILABLE: 503,
    StatusCode.DEADLINE_EXCEEDED: 504,
}


def help_url(name: str) -> str:
    """The address of the section about a reason."""
    return f"{DOCS_URL}#{name.lower()}"


class Retry(StrEnum):
    """Whether the same request may succeed later; the values are the documentation's words."""

    NO = "no"
    YES = "yes, with a back-off of your own"
    AFTER_DELAY = "yes, after the delay that the answer names"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a whole request is not served."""

    name: str
    """Stands in ErrorInfo. Stable."""
    code: StatusCode
    retry: Retry
    text: str
    """What the caller reads; `{name}` stands for a value that the raising code gives."""
    cause: str
    """When it is met, in a sentence or two."""
    advice: str
    """What the sender should do."""
    retry_after_seconds: int | None = None
    """The delay; None where there is none, or where the raising code knows it."""
    http_status: int = 0
    """Of a reply of the gateway's own; 0: as the code is mapped."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.http_status or HTTP_STATUS[self.code]

    @property
    def help_url(self) -> str:
        """The address of its section."""
        return help_url(self.name)

    @property
    def placeholders(self) -> frozenset[str]:
        """Names of the values that the text needs."""
        return frozenset(name for _text, name, _spec, _conversion in Formatter().parse(self.text) if name)
