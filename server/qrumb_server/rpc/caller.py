"""Who calls: the facts of a request that its metadata states, as far as its way in makes them believable."""

from typing import Any, Final

import grpc

from qrumb_server.model import Caller

__all__ = ["GATEWAY_PEER", "read_caller"]

# The workers' unix sockets are in a folder that only the node's user may enter: what comes through them comes
# from our gateway, which sets these keys itself and removes what a client sent under their names.
GATEWAY_PEER: Final = "unix:"
# What browsers say while nobody looks at the page: the standard's header and those before it.
PREFETCH_HEADERS: Final = (
    ("sec-purpose", "prefetch"),
    ("purpose", "prefetch"),
    ("x-purpose", "preview"),
    ("x-moz", "prefetch"),
)


def read_caller(context: grpc.aio.ServicerContext[Any, Any]) -> Caller:
    """Facts about the caller; the gateway's word counts only on the gateway's socket."""
    metadata = context.invocation_metadata()
    if not metadata:
        return Caller()
    said = dict(metadata)
    agent = _text(said, "user-agent")
    if not context.peer().startswith(GATEWAY_PEER):
        return Caller(user_agent=agent)
    return Caller(
        request_id=_text(said, "x-request-id"),
        client_ip=_text(said, "x-client-ip"),
        user_agent=agent,
        referrer=_text(said, "referer"),
        hint_brands=_text(said, "sec-ch-ua"),
        hint_mobile=_text(said, "sec-ch-ua-mobile"),
        hint_platform=_text(said, "sec-ch-ua-platform"),
        is_prefetch=any(word in _text(said, name) for name, word in PREFETCH_HEADERS),
        attempt=_number(said, "x-envoy-attempt-count"),
    )


def _text(said: dict[str, str | bytes], key: str) -> str:
    value = said.get(key, "")
    return value if isinstance(value, str) else ""


def _number(said: dict[str, str | bytes], key: str) -> int:
    text = _text(said, key)
    return int(text) if text.isascii() and text.isdecimal() else 1
