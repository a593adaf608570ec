"""Who calls: the facts of a request that its metadata states, as far as its way in makes them believable."""

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Any, Final

import grpc

from qrumb_server.model import Caller

__all__ = [
    "CALLER_KEYS",
    "GATEWAY_PEER",
    "believe_gateways",
    "is_from_gateway",
    "names_of_gateways",
    "read_caller",
    "remember",
    "said",
    "stated_by",
]

# The workers' unix sockets are in a folder that only the node's user may enter: what comes through them comes
# from our gateway, which sets these keys itself and removes what a client sent under their names.
GATEWAY_PEER: Final = "unix:"
# Of gateways on other machines, which are known by their certificates. Each server has its own names; its guard sets
# them in the context of every call, because what reads them is far from what knows them.
_gateway_names: ContextVar[frozenset[bytes]] = ContextVar("gateway_names", default=frozenset())
# Of the current call.
_metadata: ContextVar[Mapping[str, str] | None] = ContextVar("metadata", default=None)
# What browsers say while the page is not shown: the standard's header and those before it.
PREFETCH_HEADERS: Final = (
    ("sec-purpose", "prefetch"),
    ("purpose", "prefetch"),
    ("x-purpose", "preview"),
    ("x-moz", "prefetch"),
)


# All that a gateway states of a caller besides names of requests and pages: what `read_caller` reads of it.
CALLER_KEYS: Final = (
    "user-agent",
    "x-client-ip",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "x-envoy-attempt-count",
    *(name for name, _word in PREFETCH_HEADERS),
)


def names_of_gateways(names: Iterable[str]) -> frozenset[bytes]:
    """As gRPC gives the names in a certificate, in lower case."""
    return frozenset(name.lower().encode() for name in names)


def believe_gateways(names: frozenset[bytes]) -> None:
    """For the current call: the `names_of_gateways` in whose certificates a gateway is believed."""
    _gateway_names.set(names)


def remember(metadata: Any) -> None:
    """For the current call: what it states of itself. gRPC would make all of it anew whenever it is asked, at a µs a
    header.
    """
    _metadata.set(_by_name(metadata))


def stated_by(context: grpc.aio.ServicerContext[Any, Any]) -> Mapping[str, str]:
    """All that a call states of itself; the first where something came twice.

    Texts all: only names that end in -bin have bytes, and none of those is asked for.
    """
    known = _metadata.get()
    return _by_name(context.invocation_metadata()) if known is None else known


def said(context: grpc.aio.ServicerContext[Any, Any], key: str) -> str:
    """One of these; empty where it was not sent."""
    return stated_by(context).get(key, "")


def _by_name(metadata: Any) -> Mapping[str, str]:
    return dict(reversed(tuple(metadata or ())))


def is_from_gateway(context: grpc.aio.ServicerContext[Any, Any]) -> bool:
    """Whether a gateway of ours makes this call, so that what it says of its caller is true."""
    if context.peer().startswith(GATEWAY_PEER):
        return True
    names = _gateway_names.get()
    # gRPC fills this in from a certificate that it has verified, with names of the type DNS only.
    return bool(names) and any(name.lower() in names for name in context.auth_context().get("peer_dns") or ())


def read_caller(context: grpc.aio.ServicerContext[Any, Any]) -> Caller:
    """Facts about the caller; the gateway's word counts only where it is the gateway's."""
    stated = stated_by(context).get
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
