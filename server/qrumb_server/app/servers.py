"""What the gRPC servers of a worker and of the loader have in common."""

import asyncio
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Final, Protocol

import grpc
import structlog

from qrumb_server.config import RpcSettings, RpcTls
from qrumb_server.errors import ConfigError
from qrumb_server.rpc.durations import CallDurations
from qrumb_server.rpc.opening import CallLimits
from qrumb_server.rpc.wrappers import Capacity, Decoding, Guard, Wrapper, Wrappers
from qrumb_server.supervise.certificates import RPC_TLS_SETTING, read_authority, read_pair, state_of

__all__ = [
    "NewServer",
    "add_direct_port",
    "bracketed",
    "call_limits",
    "direct_server",
    "inner_server",
    "inner_wrappers",
    "stop_event",
]

log = structlog.get_logger()

# Open calls for each one that may be served at a time: the others wait for their message.
OPEN_PER_CALL: Final = 4
# Of the largest batch: so much of a message is taken in from strangers, to be told its limit in words. Copying 16 MiB
# alone would hold the event loop for 20 ms; beyond this gRPC refuses by the length, unread, with RESOURCE_EXHAUSTED.
DIRECT_MESSAGE_SHARE: Final = 2
PING_STRIKES: Final = 2
KEEPALIVE_INTERVAL: Final = timedelta(minutes=1)
KEEPALIVE_TIMEOUT: Final = timedelta(seconds=20)


class NewServer(Protocol):
    """Makes a server that is not started yet; `inner_server` says what the arguments are."""

    def __call__(
        self,
        rpc: RpcSettings,
        *,
        traces: Wrapper | None = None,
        durations: CallDurations | None = None,
        opening: Wrapper | None = None,
        access: Wrapper | None = None,
        arriving: Callable[[], None] = lambda: None,
    ) -> grpc.aio.Server: ...


def stop_event() -> asyncio.Event:
    """Set by SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def call_limits(rpc: RpcSettings) -> CallLimits:
    """What a call may hold."""
    return CallLimits(
        max_event_bytes=rpc.max_event_bytes,
        max_batch_bytes=rpc.max_batch_bytes,
        max_batch_events=rpc.max_batch_events,
        max_bytes_in_flight=rpc.max_bytes_in_flight,
    )


def inner_server(
    rpc: RpcSettings,
    *,
    traces: Wrapper | None = None,
    durations: CallDurations | None = None,
    opening: Wrapper | None = None,
    access: Wrapper | None = None,
    arriving: Callable[[], None] = lambda: None,
) -> grpc.aio.Server:
    """A server on a unix socket, where the gateway bounds what comes from outside.

    Args:
        traces: makes spans of its calls; none: they are not traced.
        durations: measures its calls; none: they are not measured.
        opening: of requests that carry events; none: this server has no such methods.
        access: who may call; none: every caller that reaches the socket.
        arriving: told of each call before its message is read.
    """
    wrappers = inner_wrappers(
        rpc, traces=traces, durations=durations, opening=opening, access=access, arriving=arriving
    )
    return _by_name(grpc.aio.server(interceptors=[wrappers], options=_message_limits(rpc, rpc.max_message_bytes)))


def inner_wrappers(
    rpc: RpcSettings,
    *,
    traces: Wrapper | None = None,
    durations: CallDurations | None = None,
    opening: Wrapper | None = None,
    access: Wrapper | None = None,
    arriving: Callable[[], None] = lambda: None,
) -> Wrappers:
    """What stands around the handlers of an `inner_server`; its arguments."""
    opening = opening or Decoding(rpc.max_event_bytes)
    return Wrappers(traces=traces, durations=durations, opening=opening, access=access, arriving=arriving)


def direct_server(
    rpc: RpcSettings,
    *,
    traces: Wrapper | None = None,
    durations: CallDurations | None = None,
    opening: Wrapper | None = None,
    access: Wrapper | None = None,
    arriving: Callable[[], None] = lambda: None,
) -> grpc.aio.Server:
    """A server for every caller that reaches its port.

    Args:
        traces: makes spans of its calls; none: they are not traced.
        durations: measures its calls; none: they are not measured.
        opening: of requests that carry events; none: this server has no such methods.
        access: who may call; none: every caller that reaches the socket.
        arriving: told of each call before its message is read.
    """
    wrappers = Wrappers(
        traces=traces,
        durations=durations,
        capacity=Capacity(rpc.max_concurrent_calls),
        guard=Guard(gateway_names=rpc.tls.gateway_names if rpc.tls else ()),
        opening=opening or Decoding(rpc.max_event_bytes),
        access=access,
        arriving=arriving,
    )
    server = grpc.aio.server(
        interceptors=[wrappers],
        maximum_concurrent_rpcs=OPEN_PER_CALL * rpc.max_concurrent_calls,
        options=[
            *_message_limits(rpc, DIRECT_MESSAGE_SHARE * rpc.max_batch_bytes),
            ("grpc.so_reuseport", 1),
            ("grpc.max_allowed_incoming_connections", rpc.max_connections),
            ("grpc.max_concurrent_streams", rpc.max_concurrent_streams),
            ("grpc.server_handshake_timeout_ms", _milliseconds(rpc.handshake_timeout)),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", _milliseconds(rpc.min_ping_interval)),
            ("grpc.http2.max_ping_strikes", PING_STRIKES),
            # Asked of the caller, whose machine may have gone without a word.
            ("grpc.keepalive_time_ms", _milliseconds(KEEPALIVE_INTERVAL)),
            ("grpc.keepalive_timeout_ms", _milliseconds(KEEPALIVE_TIMEOUT)),
            ("grpc.max_connection_idle_ms", _milliseconds(rpc.max_connection_idle)),
            ("grpc.max_connection_age_ms", _milliseconds(rpc.max_connection_age)),
            ("grpc.max_connection_age_grace_ms", _milliseconds(rpc.drain_timeout)),
        ],
    )
    return _by_name(server)


def _by_name(server: grpc.aio.Server) -> grpc.aio.Server:
    """Let it find the handlers of services by the name in a call alone.

    Generated code registers each method besides, for which gRPC has a task wait; every call would add a callback to all
    of these tasks and remove it again.
    """
    server.add_registered_method_handlers = lambda _service, _handlers: None  # type: ignore[assignment]
    return server


def add_direct_port(server: grpc.aio.Server, rpc: RpcSettings, host: str, port: int) -> None:
    """Open the port, with TLS where the settings say so."""
    address = f"{bracketed(host)}:{port}"
    if rpc.tls is None:
        server.add_insecure_port(address)
        return
    certificates = _Certificates(rpc.tls)
    credentials = grpc.dynamic_ssl_server_credentials(
        certificates.first,
        certificates,  # type: ignore[arg-type]  # the stub leaves out that it may answer None
        require_client_authentication=rpc.tls.client_ca_file is not None,
    )
    server.add_secure_port(address, credentials)


class _Certificates:
    """What gRPC asks at each handshake: a new pair, or None while the files are as they were."""

    def __init__(self, tls: RpcTls) -> None:
        self._tls = tls
        self._state = self._look()
        self.first = self._read()

    def __call__(self) -> grpc.ServerCertificateConfiguration | None:
        state = self._look()
        if state == self._state:
            return None
        self._state = state
        try:
            return self._read()
        except ConfigError as error:
            log.error("certificate_not_taken", error=str(error))
            return None

    def _look(self) -> tuple[tuple[int, ...], ...]:
        authority = self._tls.client_ca_file
        return state_of(self._tls.certificate_file, self._tls.key_file, *([authority] if authority else []))

    def _read(self) -> grpc.ServerCertificateConfiguration:
        pair = read_pair(self._tls, RPC_TLS_SETTING)
        authority = self._tls.client_ca_file
        roots = read_authority(authority, f"{RPC_TLS_SETTING}.client_ca_file") if authority else None
        return grpc.ssl_server_certificate_configuration([(pair.key, pair.certificate)], roots)


def _message_limits(rpc: RpcSettings, max_message_bytes: int) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_metadata_size", rpc.max_metadata_bytes),
        ("grpc.absolute_max_metadata_size", rpc.max_metadata_bytes),
    ]


def _milliseconds(value: timedelta) -> int:
    return value // timedelta(milliseconds=1)


def bracketed(host: str) -> str:
    """A host as it stands before a port."""
    return f"[{host}]" if ":" in host else host
