"""What a gateway is told, with each limit's unit and reason."""

from dataclasses import dataclass
from datetime import timedelta

__all__ = ["GatewayOptions", "UpstreamTlsOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamTlsOptions:
    """How a gateway calls nodes on other machines."""

    secret_file: str
    """Its certificate, as GatewayOptions.tls_secret_file."""
    authorities: str
    """PEM of those that the nodes' certificates must lead to."""
    server_name: str
    """What the nodes' certificates must be for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOptions:
    """What the gateway is told. Sockets are unix sockets; a relative name counts from Envoy's working directory."""

    host: str
    """Address to listen on."""
    http_port: int
    """Port for HTTP/1.1 and HTTP/2."""
    admin_socket: str
    """Envoy's admin interface; Envoy creates it, mode 0600."""
    collector_sockets: tuple[str, ...] = ()
    """One per collector worker."""
    query_socket: str = ""
    """The loader's: QueryService and PrivacyService."""
    status_socket: str = ""
    """The supervisor's: StatusService and grpc.health.v1.Health of the node."""
    collector_addresses: tuple[str, ...] = ()
    """For a gateway on a machine of its own, host:port of the nodes' direct gRPC, in place of the three above."""
    upstream_tls: UpstreamTlsOptions | None = None
    """How it calls them; None: in plain."""
    tls_secret_file: str | None = None
    """File for Envoy's secret discovery with the certificate, as `tls_secret` makes it; Envoy takes over another one
    that is moved in its place. None: no TLS."""
    http3: bool = False
    """HTTP/3 too, on the UDP port of the same number; needs TLS."""
    access_log: bool = True
    """One line of JSON on standard output per request, free of personal data."""

    collect_paths: tuple[str, ...] = ("/collect",)
    """Paths of browser events, checked; each has a batch and a pixel beside it."""
    allowed_origins: tuple[str, ...] = (".*",)
    """Origins whose pages may read answers of /collect*: regular expressions (RE2) that match the whole origin."""
    trusted_hops: int = 0
    """Proxies in front whose x-forwarded-for is believed. More than there are lets callers choose their address."""
    requests_per_second: int = 1000
    """Steady rate that one address (IPv6: one /64) may keep up; many visitors share an address behind a NAT."""
    request_burst: int = 2000
    """Requests that one address may send at once."""

    max_body_bytes: int = 512 * 1024
    """Body of a single JSON request."""
    max_batch_bytes: int = 4 * 1024 * 1024
    """Body of a JSON batch."""
    max_grpc_bytes: int = 16 * 1024 * 1024
    """A gRPC call that is no stream: the service's own limit of a message."""
    max_response_bytes: int = 32 * 1024 * 1024
    """A JSON reply; one that is larger becomes an error."""
    max_header_kb: int = 16
    """Request line and headers together; the service's own metadata limit must be higher."""
    max_header_count: int = 64
    """Headers of one request."""
    max_connections: int = 10_000
    """Connections at a time; further ones are closed."""
    max_concurrent_requests: int = 1024
    """Requests in work with the collector workers; further ones are answered 503."""
    max_heap_bytes: int = 512 * 1024 * 1024
    """Envoy's memory; near it, requests are refused."""

    header_timeout: timedelta = timedelta(seconds=5)
    """For all headers of a request to arrive."""
    request_timeout: timedelta = timedelta(seconds=20)
    """For a whole request, from its first byte to the end of its answer."""
    stall_timeout: timedelta = timedelta(seconds=10)
    """For a request on which no byte moves."""
    idle_timeout: timedelta = timedelta(seconds=75)
    """For a connection without a request."""
    stream_idle_timeout: timedelta = timedelta(minutes=5)
    """For a StreamServerEvents call on which nothing moves."""
    collect_timeout: timedelta = timedelta(seconds=5)
    """For the answer of a worker, retries included."""
    query_timeout: timedelta = timedelta(seconds=30)
    """For the answer of the query service."""
