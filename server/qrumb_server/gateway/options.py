"""What a gateway is told: the node's settings, where it stands, and the limits that no setting changes.

Each limit stands once: in `config.GatewaySettings` where an operator may change it, else in `Limits`. Both reach
gateway/envoy.yaml under their own names.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from qrumb_server.config import GatewaySettings, TracesSettings

__all__ = ["GatewayOptions", "Limits", "UpstreamTlsOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is the same on every node."""

    max_response_bytes: int = 32 * 1024 * 1024
    """A JSON reply; one that is larger becomes an error."""
    max_header_kb: int = 16
    """Request line and headers together; the service's own metadata limit must be higher."""
    max_header_count: int = 64
    """Headers of one request."""
    stall_timeout: timedelta = timedelta(seconds=10)
    """For a request on which no byte moves."""
    stream_idle_timeout: timedelta = timedelta(minutes=5)
    """For a StreamServerEvents call on which nothing moves."""
    collect_timeout: timedelta = timedelta(seconds=5)
    """For the answer of a worker, retries included."""
    allowed_origins: tuple[str, ...] = (".*",)
    """Origins whose pages may read answers of /collect*: regular expressions (RE2) that match the whole origin. All:
    whether a page may send events is for the service to say, which knows the sites."""


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

    settings: GatewaySettings
    """What the operator may change."""
    max_body_bytes: int
    """Body of a single JSON request: the service's own limit of an event."""
    max_batch_bytes: int
    """Body of a JSON batch, and a gRPC call that is not a stream: the service's own limit of a batch."""
    host: str
    """Address to listen on."""
    http_port: int
    """Port for HTTP/1.1 and HTTP/2, and for HTTP/3 with UDP."""
    admin_socket: str
    """Envoy's admin interface; Envoy creates it, mode 0600."""
    tls_secret_file: str | None
    """File for Envoy's secret discovery with the certificate, as `tls.secret` makes it; Envoy takes over another one
    that is moved in its place. None: no TLS."""
    workers_file: str = ""
    """Which to call, as `workers.workers` says it; in Envoy's working directory, and moved in the old one's place."""
    query_socket: str = ""
    """The loader's: QueryService, PrivacyService and ReplayService."""
    status_socket: str = ""
    """The supervisor's: StatusService and grpc.health.v1.Health of the node."""
    collector_addresses: tuple[str, ...] = ()
    """For a gateway on a machine of its own, host:port of the nodes' direct gRPC, in place of the three above."""
    upstream_tls: UpstreamTlsOptions | None = None
    """How it calls them; None: in plain."""
    console_dir: Path | None = None
    """Folder of the console's files, absolute. None: nothing at /console/."""
    traces: TracesSettings = field(default_factory=TracesSettings)
    """Where its spans go, and how many calls have one."""
    limits: Limits = field(default_factory=Limits)
    """What no setting changes."""
