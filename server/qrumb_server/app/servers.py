"""What the gRPC servers of a worker and of the loader have in common."""

import asyncio
import signal
from datetime import timedelta

import grpc

from qrumb_server.config import RpcSettings
from qrumb_server.rpc.guard import Guard

__all__ = ["bracketed", "grpc_server", "stop_event"]


def stop_event() -> asyncio.Event:
    """Set by SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def grpc_server(rpc: RpcSettings, *interceptors: grpc.aio.ServerInterceptor) -> grpc.aio.Server:
    """A server with the limits of the settings; the interceptors stand behind the guard."""
    age_ms = rpc.max_connection_age // timedelta(milliseconds=1)
    return grpc.aio.server(
        interceptors=[Guard(), *interceptors],
        options=[
            ("grpc.so_reuseport", 1),
            ("grpc.max_receive_message_length", rpc.max_message_bytes),
            ("grpc.max_metadata_size", rpc.max_metadata_bytes),
            ("grpc.absolute_max_metadata_size", rpc.max_metadata_bytes),
            ("grpc.max_connection_age_ms", age_ms),
            ("grpc.max_connection_age_grace_ms", rpc.drain_timeout // timedelta(milliseconds=1)),
        ],
    )


def bracketed(host: str) -> str:
    """A host as it stands before a port."""
    return f"[{host}]" if ":" in host else host
