"""The settings of a node's two edges: the gateway for HTTP, and direct gRPC."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from qrumb_server.config.groups import KIB, MIB, Group

__all__ = ["GatewaySettings", "RpcSettings", "RpcTls", "TlsFiles", "UpstreamTls"]

COLLECT_PATH: Final = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+")
MAX_PATH_LENGTH: Final = 64
# What the contract and the gateway's own routes use.
TAKEN_PATH: Final = re.compile(r"/(v\d+|server-events|scan-sessions|validate|healthz|qrumb\.|grpc\.)")


DnsName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$", max_length=253)]


class TlsFiles(Group):
    """A certificate and its key. Renewed files are served within seconds, without a restart."""

    certificate_file: Path
    """Certificate (PEM), followed by those that lead from it to its authority: certbot's fullchain.pem."""
    key_file: Path
    """The certificate's private key (PEM), without a password: certbot's privkey.pem."""

    @field_validator("certificate_file", "key_file")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()


class UpstreamTls(TlsFiles):
    """How a gateway on a machine of its own calls the nodes: with this certificate."""

    ca_file: Path
    """Authorities (PEM) that the nodes' certificates must lead to."""
    server_name: str = Field(min_length=1, max_length=253)
    """DNS name or address that the nodes' certificates must be for; one for all nodes."""

    @field_validator("ca_file")
    @classmethod
    def _absolute_authority(cls, value: Path) -> Path:
        return value.expanduser().absolute()


class RpcTls(TlsFiles):
    """TLS for direct gRPC."""

    client_ca_file: Path | None = None
    """Authorities (PEM) that callers' certificates must lead to: every direct caller must then have one (mTLS)."""

    gateway_names: tuple[DnsName, ...] = ()
    """Gateways on other machines, by a DNS name in the certificates that they call with: what they say of a visitor's
    address is believed, as it is of the node's own gateway. A holder of such a certificate can claim any address."""

    @field_validator("client_ca_file")
    @classmethod
    def _absolute_authority(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value else None

    @model_validator(mode="after")
    def _names_are_proven(self) -> Self:
        if self.gateway_names and self.client_ca_file is None:
            raise ValueError("gateway_names needs client_ca_file, the authority that gives gateways their certificates")
        return self


class RpcSettings(Group):
    """The gRPC edge: direct calls, and those that the gateway passes on. The gateway has its own, smaller limits; a
    test compares them."""

    tls: RpcTls | None = None
    """What to serve direct gRPC with TLS with. Without it, plain: for backends on the same machine or network."""
    max_event_bytes: int = Field(default=128 * KIB, ge=32 * KIB, le=1 * MIB)
    """Largest event as it is sent, protobuf or JSON, alone, in a batch or in a stream: several times the largest that
    keeps all other limits. A larger one is rejected by its size. Requests without events have this limit too."""
    max_batch_bytes: int = Field(default=4 * MIB, ge=1 * MIB, le=16 * MIB)
    """Largest batch call, protobuf or JSON; a larger one is refused as a whole."""
    max_bytes_in_flight: int = Field(default=32 * MIB, ge=1 * MIB)
    """Bytes of all calls longer than an event that one worker handles at a time; beyond it they are
    RESOURCE_EXHAUSTED with a delay after which to try again. Decoded, a call takes up to ten times its bytes."""
    max_message_bytes: int = Field(default=32 * MIB, ge=1 * MIB)
    """What is taken from the gateway, to be refused in words. Far above max_batch_bytes, because JSON can grow sixfold
    as protobuf. On the direct port it is twice max_batch_bytes; beyond it gRPC itself answers RESOURCE_EXHAUSTED."""
    max_metadata_bytes: int = Field(default=64 * 1024, ge=8 * 1024)
    """Largest header block. Bigger than the gateway's, so that the gateway answers first."""
    max_batch_events: int = Field(default=1_000, ge=1, le=1_000)
    """Events of one batch call. The contract says 1,000."""
    compiled: bool = True
    """Judge and load ordinary events by the compiled way, where the set-up could build it; off: by Python alone. What
    is stored and answered is the same; `qrumb status` says which counts."""
    max_connections: int = Field(default=1_000, ge=1, le=100_000)
    """Direct connections of one worker at a time; further ones are closed."""
    max_concurrent_streams: int = Field(default=100, ge=1, le=10_000)
    """Calls of one direct connection at a time; further ones wait at the caller."""
    max_concurrent_calls: int = Field(default=500, ge=1, le=100_000)
    """Direct calls that one worker serves at a time, a stream being one; further ones are RESOURCE_EXHAUSTED with a
    delay after which to try again."""
    handshake_timeout: timedelta = Field(default=timedelta(seconds=5), gt=timedelta(0))
    """For a direct connection to begin: TLS and HTTP/2."""
    min_ping_interval: timedelta = Field(default=timedelta(seconds=10), ge=timedelta(0))
    """A direct connection that sends keepalive pings more often, without calls between them, is closed."""
    max_connection_idle: timedelta = Field(default=timedelta(minutes=5), gt=timedelta(0))
    """Time without a call after which a direct connection is closed."""
    max_connection_age: timedelta = timedelta(minutes=5)
    """Age at which a direct connection is asked to reconnect, so that load spreads over the workers."""
    drain_timeout: timedelta = timedelta(seconds=10)
    """How long a shutdown waits for calls in flight."""


class GatewaySettings(Group):
    """Envoy, the HTTP edge."""

    enabled: bool = True
    """Off: gRPC only."""
    tls: TlsFiles | None = None
    """What to serve HTTPS with. Without it, HTTP: for a node behind a load balancer that ends TLS, and for laptops."""
    http3: bool = False
    """HTTP/3 too, on the UDP port of the same number; needs tls. What stands in front must let UDP through, and must
    not change the port, which answers over TCP name in the header alt-svc."""
    concurrency: int = Field(default=2, ge=1, le=64)
    """Worker threads of Envoy."""
    access_log: bool = False
    """One JSON line per request on standard output; no addresses, no queries."""
    trusted_hops: int = Field(default=0, ge=0, le=16)
    """Proxies and load balancers in front that write x-forwarded-for. 0: callers connect to the gateway themselves.
    More than there are lets callers choose their address, fewer makes all callers one address."""
    requests_per_second: int = Field(default=1000, ge=1, le=1_000_000)
    """Steady rate of requests that one address (IPv6: one /64) may keep up; further ones are answered 429 with
    Retry-After. Hundreds of visitors can share an address behind a company's or a mobile network's NAT."""
    request_burst: int = Field(default=2000, ge=1, le=10_000_000)
    """Requests that one address may send at once."""
    max_connections: int = Field(default=10_000, ge=1, le=1_000_000)
    """Connections at a time; further ones are closed. Each takes a file descriptor of the gateway and, idle, 8 KiB.
    From 80 % of it on idle connections are closed sooner, at 95 % after two seconds."""
    max_concurrent_requests: int = Field(default=1024, ge=1, le=100_000)
    """Requests that the workers serve at a time; further ones are answered 503 with Retry-After."""
    max_heap_bytes: int = Field(default=512 * MIB, ge=64 * MIB)
    """The gateway's memory. From 85 % of it on idle connections go sooner, from 95 % on requests are refused."""
    header_timeout: timedelta = Field(default=timedelta(seconds=5), gt=timedelta(0))
    """For all headers of a request to arrive, and for a TLS handshake."""
    request_timeout: timedelta = Field(default=timedelta(seconds=20), gt=timedelta(0))
    """For a whole request, from its first byte to the end of its answer."""
    idle_timeout: timedelta = Field(default=timedelta(seconds=75), gt=timedelta(0))
    """For a connection without a request. A load balancer in front must give up its idle connections sooner."""
    query_timeout: timedelta = Field(default=timedelta(seconds=30), gt=timedelta(0))
    """For an answer that takes a query."""
    collect_paths: tuple[str, ...] = Field(default=("/collect",), min_length=1, max_length=16)
    """Paths for browser events, COLLECT_PATHS in the environment with commas between; "/collect" stands on the lists of
    ad blockers. Each path takes one event, with "/batch" behind it a batch, with ".gif" an image's address."""

    json_events: Literal["read", "transcode"] = Field(default="read", alias="json")
    """Who reads the JSON of events and scan sessions. "read": the collectors, which say of each what is odd about it.
    "transcode": the gateway by the public contract, as any other gRPC-JSON gateway would; what that does not know is
    then gone."""
    upstream: tuple[Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+):\d{1,5}$")], ...] = ()
    """Only for `qrumb gateway-config`: the nodes, each as host:port of its direct gRPC."""
    upstream_tls: UpstreamTls | None = None
    """Only for `qrumb gateway-config`. The nodes name this certificate in rpc.tls.gateway_names; without, they believe
    nothing that the gateway says of its callers."""

    @model_validator(mode="after")
    def _http3_has_tls(self) -> Self:
        if self.http3 and self.tls is None:
            raise ValueError("http3 needs tls: set tls.certificate_file and tls.key_file, or http3 = false")
        return self

    @field_validator("collect_paths")
    @classmethod
    def _usable_paths(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for path in value:
            if not COLLECT_PATH.fullmatch(path) or len(path) > MAX_PATH_LENGTH:
                raise ValueError(
                    f"{path[:MAX_PATH_LENGTH]!r} cannot be a path of browser events: segments of A-Z a-z 0-9 _ - and, "
                    f'inside, dots; each after a slash, none at the end, {MAX_PATH_LENGTH} characters; such as "/e"'
                )
            if TAKEN_PATH.match(path):
                raise ValueError(f"{path!r} cannot be a path of browser events: the gateway has other routes there")
        everything = [f"{path}{suffix}" for path in value for suffix in ("", "/batch", ".gif")]
        if len(set(everything)) < len(everything):
            raise ValueError('paths of browser events clash, with their "/batch" or ".gif", or are given twice')
        return value
