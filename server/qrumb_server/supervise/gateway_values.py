"""From the options of a gateway to the values that stand in envoy.yaml for its names."""

import base64
import dataclasses
import ipaddress
import json
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from qrumb_server.reasons import gateway
from qrumb_server.reasons.calls import UNKNOWN_METHOD
from qrumb_server.reasons.entry import DOMAIN, Reason, Retry
from qrumb_server.supervise.gateway_options import GatewayOptions, UpstreamTlsOptions

__all__ = ["SECRET_NAME", "UPSTREAM_SECRET_NAME", "folder", "tls_secret", "values"]

# The path of browser events in the contract, and what stands beside it.
CONTRACT_PATH: Final = "/collect"
BATCH_SUFFIX: Final = "/batch"
PIXEL_SUFFIX: Final = ".gif"
# Of gRPC around a message, and so much more that a message just above the service's limit gets the service's answer.
FRAMING_BYTES: Final = 64 * 1024
# Envoy's name for what is in GatewayOptions.tls_secret_file.
SECRET_NAME: Final = "gateway"  # noqa: S105  (a name)
UPSTREAM_SECRET_NAME: Final = "upstream"  # noqa: S105
_TLS: Final = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
# Who answers a late call. JSON: Envoy, with a text and Retry-After, before the service's deadline. gRPC: the service,
# with DEADLINE_EXCEEDED, before Envoy, which would say UNAVAILABLE.
_DEADLINE_MARGIN = timedelta(milliseconds=500)


def folder() -> Path:
    """Where envoy.yaml and the descriptor set are: inside the installed package, else in the checkout."""
    package = Path(__file__).resolve().parent.parent
    packaged = package / "gateway"
    return packaged if packaged.is_dir() else package.parent.parent / "gateway"


def tls_secret(certificate: bytes, key: bytes, name: str = SECRET_NAME) -> str:
    """The content of GatewayOptions.tls_secret_file: the pair itself, so that Envoy always gets both at once.

    Args:
        name: UPSTREAM_SECRET_NAME for UpstreamTlsOptions.secret_file.
    """
    pair = {"certificate_chain": certificate, "private_key": key}
    secret = {
        "@type": f"{_TLS}Secret",
        "name": name,
        "tls_certificate": {name: {"inline_string": pem.decode()} for name, pem in pair.items()},
    }
    return json.dumps({"resources": [secret]})


def values(options: GatewayOptions) -> dict[str, Any]:
    """The names in envoy.yaml and what stands for them."""
    return {
        "host": options.host,
        "http_port": options.http_port,
        "admin_socket": options.admin_socket,
        "transport_socket": _tls_socket(options.tls_secret_file) if options.tls_secret_file else None,
        "quic_context": _tls_context(options.tls_secret_file, ["h3"]) if options.tls_secret_file else None,
        "alt_svc": f'h3=":{options.http_port}"; ma=86400',
        **_upstreams(options),
        "descriptor": base64.b64encode(_descriptor_set(options.collect_paths)).decode(),
        "access_log_percent": 100 if options.access_log else 0,
        **_collect_patterns(options.collect_paths),
        "allowed_origins": [{"safe_regex": {"regex": origin}} for origin in options.allowed_origins],
        "trusted_hops": options.trusted_hops,
        "rate_per_second": options.requests_per_second,
        "rate_burst": options.request_burst,
        "max_body_bytes": options.max_body_bytes,
        "max_batch_bytes": options.max_batch_bytes,
        "max_grpc_bytes": options.max_grpc_bytes + FRAMING_BYTES,
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
        **_replies(options),
    }


def _replies(options: GatewayOptions) -> dict[str, Any]:
    """What Envoy answers by itself, by the names of reasons.gateway: its text, its JSON, and headers for a delay."""
    found: dict[str, Any] = {"text_unknown_method": UNKNOWN_METHOD.text}
    limits = dataclasses.asdict(options)
    for name, reason in vars(gateway).items():
        if not isinstance(reason, Reason):
            continue
        text = reason.text.format_map(limits)
        found[f"text_{name.lower()}"] = text
        found[f"reply_{name.lower()}"] = {"code": reason.code.value[0], "message": text, "details": [*_details(reason)]}
        if reason.retry_after_seconds is not None:
            delay = {"key": "retry-after", "value": str(reason.retry_after_seconds)}
            found[f"headers_{name.lower()}"] = [{"header": delay, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}]
    return found


def _details(reason: Reason) -> Iterator[dict[str, Any]]:
    """Of google.rpc.Status, as JSON."""
    yield {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason.name,
        "domain": DOMAIN,
        "metadata": {"help_url": reason.help_url},
    }
    if reason.retry is Retry.AFTER_DELAY:
        # Where the table has no delay, Envoy's filter has put one into the header.
        delay = reason.retry_after_seconds or "%RESP(RETRY-AFTER)%"
        yield {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retry_delay": f"{delay}s"}


def _tls_socket(secret_file: str) -> dict[str, Any]:
    context = {"@type": f"{_TLS}DownstreamTlsContext", **_tls_context(secret_file, ["h2", "http/1.1"])}
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _tls_context(secret_file: str, protocols: Sequence[str]) -> dict[str, Any]:
    """TLS as a server."""
    return {"common_tls_context": _common_tls(secret_file, SECRET_NAME, protocols)}


def _common_tls(secret_file: str, secret_name: str, protocols: Sequence[str]) -> dict[str, Any]:
    """Which ciphers is left to Envoy: forward secrecy and authenticated encryption only."""
    # To watch the file's folder, Envoy wants a slash in its path.
    path = secret_file if "/" in secret_file else f"./{secret_file}"
    source = {"path_config_source": {"path": path}, "resource_api_version": "V3"}
    return {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"},
        "alpn_protocols": list(protocols),
        "tls_certificate_sds_secret_configs": [{"name": secret_name, "sds_config": source}],
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


def _upstreams(options: GatewayOptions) -> dict[str, Any]:
    """Who serves the three kinds of calls: each a process of this node, or all of them the nodes' direct ports."""
    addresses = options.collector_addresses
    if not addresses:
        return {
            "collector_endpoints": [_pipe(socket) for socket in options.collector_sockets],
            "query_endpoints": [_pipe(options.query_socket)],
            "status_endpoints": [_pipe(options.status_socket)],
            "cluster_type": "STATIC",
            "upstream_socket": None,
            "connect_timeout": "0.5s",
            "upstream_streams": options.max_concurrent_requests,
        }
    endpoints = [_address(address) for address in addresses]
    return {
        "collector_endpoints": endpoints,
        "query_endpoints": endpoints,
        "status_endpoints": endpoints,
        "cluster_type": "STRICT_DNS",
        "upstream_socket": _upstream_socket(options.upstream_tls) if options.upstream_tls else None,
        "connect_timeout": "2s",
        # A connection stays with one of a node's workers: many short ones spread over them.
        "upstream_streams": 8,
    }


def _upstream_socket(tls: UpstreamTlsOptions) -> dict[str, Any]:
    try:
        ipaddress.ip_address(tls.server_name)
    except ValueError:
        kind, sni = "DNS", {"sni": tls.server_name}
    else:
        kind, sni = "IP_ADDRESS", {}
    common = _common_tls(tls.secret_file, UPSTREAM_SECRET_NAME, ["h2"])
    common["validation_context"] = {
        "trusted_ca": {"inline_string": tls.authorities},
        "match_typed_subject_alt_names": [{"san_type": kind, "matcher": {"exact": tls.server_name}}],
    }
    context = {"@type": f"{_TLS}UpstreamTlsContext", "common_tls_context": common, **sni}
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _pipe(socket: str) -> dict[str, Any]:
    return {"endpoint": {"address": {"pipe": {"path": socket}}}}


def _address(host_and_port: str) -> dict[str, Any]:
    host, _, port = host_and_port.rpartition(":")
    return {"endpoint": {"address": {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}}}}


def _seconds(value: timedelta) -> str:
    """As Envoy writes a duration."""
    return f"{value.total_seconds():g}s"


def _deadline(value: timedelta) -> str:
    """As the header grpc-timeout writes a duration."""
    return f"{round(value.total_seconds() * 1000)}m"
