"""Who calls: the facts of a request that its metadata states, as far as its way in makes them believable."""

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Any, Final, cast

import grpc

from qrumb_server.model import Caller

__all__ = ["GATEWAY_PEER", "believe_gateways", "is_from_gateway", "names_of_gateways", "read_caller", "said"]

# The workers' unix sockets are in a folder that only the node's user may enter: what comes through them comes
# from our gateway, which sets these keys itself and removes what a client sent under their names.
GATEWAY_PEER: Final = "unix:"
# Of gateways on other machines, which are known by their certificates. Each server has its own names; its guard sets
# them in the context of every call, because what reads them is far from what knows them.
_gateway_names: ContextVar[frozenset[bytes]] = ContextVar("gateway_names", default=frozenset())
# Of the current call, and whose it is.
_metadata: ContextVar[tuple[object, Mapping[str, str]] | None] = ContextVar("metadata", default=None)
# What browsers say while the page is not shown: the standard's header and those before it.
PREFETCH_HEADERS: Final = (
    ("sec-purpose", "prefetch"),
    ("purpose", "prefetch"),
    ("x-purpose", "preview"),
    ("x-moz", "prefetch"),
)


def names_of_gateways(names: Iterable[str]) -> frozenset[bytes]:
    """As gRPC gives the names in a certificate, in lower case."""
    return frozenset(name.lower().encode() for name in names)


def believe_gateways(names: frozenset[bytes]) -> None:
    """For the current call: the `names_of_gateways` in whose certificates a gateway is believed."""
    _gateway_names.set(names)


def said(context: grpc.aio.ServicerContext[Any, Any], key: str) -> str:
    """One text of what a call states of itself; empty where it was not sent, the first where it came twice."""
    return _metadata_of(context).get(key, "")


def _metadata_of(context: grpc.aio.ServicerContext[Any, Any]) -> Mapping[str, str]:
    """gRPC makes all of it anew whenever it is asked, at a µs a header: asked once.

    Texts all: only names that end in -bin have bytes, and none of those is asked for.
    """
    known = _metadata.get()
    if known is None or known[0] is not context:
        sent = reversed(tuple(context.invocation_metadata() or ()))
        known = context, cast(Mapping[str, str], dict(sent))
        _metadata.set(known)
    return known[1]


def is_from_gateway(context: grpc.aio.ServicerContext[Any, Any]) -> bool:
    """Whether a gateway of ours makes this call, so that what it says of its caller is true."""
    if context.peer().startswith(GATEWAY_PEER):
        return True
    names = _gateway_names.get()
    # gRPC fills this in from a certificate that it has verified, with names of the type DNS only.
    return bool(names) and any(name.lower() in names for name in context.auth_context().get("peer_dns") or ())


def read_caller(context: grpc.aio.ServicerContext[Any, Any]) -> Caller:
    """Facts about the caller; the gateway's word counts only where it is the gateway's."""
    stated = _metadata_of(context).get
    agent = stated("user-agent", "")
    if not is_from_gateway(context):
        return Caller(user_agent=agent)
    attempt = stated("x-envoy-attempt-count", "")
    return Caller(
        request_id=stated("x-request-id", ""),
        client_ip=stated("x-client-ip", ""),
        user_agent=agent,
        referrer=stated("referer", ""),
        hint_brands=stated("sec-ch-ua", ""),
        hint_mobile=stated("sec-ch-ua-mobile", ""),
        hint_platform=stated("sec-ch-ua-platform", ""),
        is_prefetch=any(word in stated(name, "") for name, word in PREFETCH_HEADERS),
        attempt=int(attempt) if attempt.isascii() and attempt.isdecimal() else 1,
    )
