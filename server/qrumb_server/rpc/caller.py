"""Who calls: the facts of a request that its metadata states, as far as its way in makes them believable."""

from typing import Any, Final

import grpc

from qrumb_server.model import Caller

__all__ = ["read_caller"]

# The workers' unix sockets are in a folder that only the node's user may enter: what comes through them comes
# from our gateway, which sets these keys itself and removes what a client sent under their names.
GATEWAY_PEER: Final = "unix:"


def read_caller(context: grpc.aio.ServicerContext[Any, Any]) -> Caller:
    """Facts about the caller; the gateway's word counts only on the gateway's socket."""
    metadata = context.invocation_metadata()
    if not metadata:
        return Caller()
    said = dict(metadata)
    if not context.peer().startswith(GATEWAY_PEER):
        return Caller(user_agent=_text(said, "user-agent"))
    return Caller(
        request_id=_text(said, "x-request-id"),
        client_ip=_text(said, "x-client-ip"),
        user_agent=_text(said, "user-agent"),
        referrer=_text(said, "referer"),
    )


def _text(said: dict[str, str | bytes], key: str) -> str:
    value = said.get(key, "")
    return value if isinstance(value, str) else ""
