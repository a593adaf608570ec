"""Who calls: the facts of a request that its metadata states, as far as its way in makes them believable."""

from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any, Final

import grpc

from qrumb_server.model import Caller

__all__ = ["GATEWAY_PEER", "believe_gateways", "is_from_gateway", "read_caller"]

# The workers' unix sockets are in a folder that only the node's user may enter: what comes through them comes
# from our gateway, which sets these keys itself and removes what a client sent under their names.
GATEWAY_PEER: Final = "unix:"
# Of gateways on other machines, which are known by their certificates. Each server has its own names; its guard sets
# them in the context of every call, because what reads them is far from what knows them.
_gateway_names: ContextVar[frozenset[bytes]] = ContextVar("gateway_names", default=frozenset())
# What browsers say while the page is not shown: the standard's header and those before it.
PREFETCH_HEADERS: Final = (
    ("sec-purpose", "prefetch"),
    ("purpose", "prefetch"),
    ("x-purpose", "preview"),
    ("x-moz", "prefetch"),
)


def believe_gateways(names: Iterable[str]) -> None:
    """For the current call: the names in whose certificates a gateway is believed."""
    _gateway_names.set(frozenset(name.lower().encode() for name in names))


def is_from_gateway(context: grpc.aio.ServicerContext[Any, Any]) -> bool:
    """Whether a gateway of ours makes this call, so that what it says of its caller is true."""
    if context.peer().startswith(GATEWAY_PEER):
        return True
    names = _gateway_names.get()
    # gRPC fills this in from a certificate that it has verified, with names of the type DNS only.
    return bool(names) and any(name.lower() in names for name in context.auth_context().get("peer_dns") or ())


def read_caller(context: grpc.aio.ServicerContext[Any, Any]) -> Caller:
    """Facts about the caller; the gateway's word counts only where it is the gateway's."""
    metadata = context.invocation_metadata()
    if not metadata:
        return Caller()
    said = dict(metadata)
    agent = _text(said, "user-agent")
    if not is_from_gateway(context):
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
