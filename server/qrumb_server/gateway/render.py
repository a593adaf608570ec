"""Envoy's configuration file: gateway/envoy.yaml with the values of the options in the place of its names.

Envoy's own answers are values too: they come from the table of reasons.
"""

import base64
import dataclasses
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from string import Template
from typing import Any, Final

from google.api import annotations_pb2
from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import error_details_pb2 as _details_of_any  # noqa: F401  (JSON's @type is looked up by name)
from google.rpc.status_pb2 import Status

from qrumb_server.config import CONSOLE_FILES, GatewaySettings
from qrumb_server.gateway import tls
from qrumb_server.gateway.options import GatewayOptions
from qrumb_server.gateway.workers import pipe
from qrumb_server.reasons import gateway
from qrumb_server.reasons.calls import UNKNOWN_METHOD
from qrumb_server.reasons.entry import DOMAIN, Reason, Retry

__all__ = ["JSON_SERVICE", "SERVICES", "descriptor_set", "folder", "render", "replies"]

# The path of browser events in the contract, and what stands beside it.
CONTRACT_PATH: Final = "/collect"
BATCH_SUFFIX: Final = "/batch"
PIXEL_SUFFIX: Final = ".gif"
# The contract's services, in the gateway's JSON; and the one that is derived of two of them, for bodies of events and
# scan sessions.
TYPED_SERVICES: Final = ("qrumb.v1.CollectorService", "qrumb.v1.ScanSessionService")
# Stands for the contract's other methods with a body, always.
JSON_REQUEST_SERVICE: Final = "qrumb_server.wire.v1.JsonRequestService"
SERVICES: Final = (
    *TYPED_SERVICES,
    "qrumb.v1.PrivacyService",
    "qrumb.v1.QueryService",
    "qrumb.v1.ReplayService",
    "qrumb.v1.StatusService",
    "qrumb.v1.ValidatorService",
    JSON_REQUEST_SERVICE,
)
JSON_SERVICE: Final = "qrumb_server.wire.v1.JsonCollectorService"
# The console has no inline script or style, loads nothing from elsewhere, and stands in no frame.
CONSOLE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
# Of one file of the console; Envoy holds them, and does not start with a larger one.
MAX_DIRECT_BYTES: Final = 512 * 1024
# Of gRPC around a message, and so much more that a message just above the service's limit gets the service's answer.
FRAMING_BYTES: Final = 64 * 1024
# Who answers a late call. JSON: Envoy, with a text and Retry-After, before the service's deadline. gRPC: the service,
# with DEADLINE_EXCEEDED, before Envoy, which would say UNAVAILABLE.
_DEADLINE_MARGIN = timedelta(milliseconds=500)


def render(options: GatewayOptions) -> str:
    """Envoy's configuration file."""
    text = (folder() / "envoy.yaml").read_text(encoding="utf-8")
    parts = {
        "http3": options.settings.http3,
        "console": options.console_dir is not None,
        "traces": bool(options.traces.endpoint),
        "own": not options.collector_addresses,
        "remote": bool(options.collector_addresses),
    }
    for part, is_wanted in parts.items():
        if not is_wanted:
            text = re.sub(rf"^ *# BEGIN {part}$.*?^ *# END {part}\n", "", text, flags=re.MULTILINE | re.DOTALL)
    template = Template(text)
    # JSON is YAML: every value arrives typed and quoted, whatever characters a path has.
    return template.substitute({name: json.dumps(value) for name, value in _values(options).items()})


def _values(options: GatewayOptions) -> dict[str, Any]:
    """The names in envoy.yaml and what stands for them: every setting and limit under its own name, and what is
    made of several."""
    settings, limits, secret_file = options.settings, options.limits, options.tls_secret_file
    stated: dict[str, Any] = {
        **{name: getattr(settings, name) for name in type(settings).model_fields},
        **dataclasses.asdict(limits),
        "max_body_bytes": options.max_body_bytes,
        "max_batch_bytes": options.max_batch_bytes,
    }
    return {
        **{name: _plain(value) for name, value in stated.items() if isinstance(value, int | timedelta)},
        **replies(stated),
        **_upstreams(options),
        **_collect_patterns(settings.collect_paths),
        "host": options.host,
        "http_port": options.http_port,
        "admin_socket": options.admin_socket,
        "transport_socket": tls.server_socket(secret_file) if secret_file else None,
        "quic_context": tls.quic_context(secret_file) if secret_file else None,
        **{f"console_{name}": f"{options.console_dir}/{file}" for name, file in CONSOLE_FILES.items()},
        "console_node": json.dumps({"collect_path": settings.collect_paths[0]}),
        "max_direct_bytes": MAX_DIRECT_BYTES,
        "console_policy": CONSOLE_POLICY,
        "traces_endpoints": [_address(options.traces.address)] if options.traces.endpoint else [],
        "traces_per_million": round(1_000_000 * options.traces.sample_ratio),
        "alt_svc": f'h3=":{options.http_port}"; ma=86400',
        "descriptor": base64.b64encode(descriptor_set(settings)).decode(),
        "services": [*SERVICES, JSON_SERVICE] if settings.json_events == "read" else list(SERVICES),
        "access_log_percent": 100 if settings.access_log else 0,
        "allowed_origins": [{"safe_regex": {"regex": origin}} for origin in limits.allowed_origins],
        "max_grpc_bytes": options.max_batch_bytes + FRAMING_BYTES,
        "max_transcoded_request_bytes": 2 * options.max_batch_bytes,
        "collect_deadline": _deadline(limits.collect_timeout + _DEADLINE_MARGIN),
        "grpc_collect_timeout": _plain(limits.collect_timeout + 2 * _DEADLINE_MARGIN),
        "query_deadline": _deadline(settings.query_timeout + _DEADLINE_MARGIN),
        "grpc_query_timeout": _plain(settings.query_timeout + 2 * _DEADLINE_MARGIN),
    }


def folder() -> Path:
    """Where envoy.yaml and the descriptor set are: beside this in the installed package, else in the checkout."""
    here = Path(__file__).resolve().parent
    return here if (here / "envoy.yaml").is_file() else here.parents[2] / "gateway"


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


def descriptor_set(settings: GatewaySettings) -> bytes:
    """The contract as the transcoder reads it, with the settings' paths of events in the place of its own; where the
    collectors read JSON themselves, these lead to the methods that take bodies."""
    files = FileDescriptorSet.FromString((folder() / "qrumb.binpb").read_bytes())
    methods = {
        (f"{file.package}.{service.name}", rpc.name): rpc.options
        for file in files.file
        for service in file.service
        for rpc in service.method
        if rpc.options.HasExtension(annotations_pb2.http)
    }
    if settings.json_events == "read":
        read = {name for service, name in methods if service == JSON_SERVICE}
        for method in [(service, name) for service, name in methods if service in TYPED_SERVICES and name in read]:
            methods.pop(method).ClearExtension(annotations_pb2.http)
    for rule in (found.Extensions[annotations_pb2.http] for found in methods.values()):
        kind = rule.WhichOneof("pattern")
        template = getattr(rule, kind)
        if template not in {CONTRACT_PATH, CONTRACT_PATH + BATCH_SUFFIX, CONTRACT_PATH + PIXEL_SUFFIX}:
            continue
        first, *others = (path + template.removeprefix(CONTRACT_PATH) for path in settings.collect_paths)
        setattr(rule, kind, first)
        for other in others:
            rule.additional_bindings.add(body=rule.body, **{kind: other})
    return files.SerializeToString()


def _upstreams(options: GatewayOptions) -> dict[str, Any]:
    """Who serves the three kinds of calls: each a process of this node, or all of them the nodes' direct ports."""
    addresses = options.collector_addresses
    if not addresses:
        return {
            # To watch the file's folder, Envoy wants a slash in its path.
            "workers_file": f"./{options.workers_file}",
            "query_endpoints": [pipe(options.query_socket)],
            "status_endpoints": [pipe(options.status_socket)],
            "cluster_type": "STATIC",
            "upstream_socket": None,
            "connect_timeout": "0.5s",
            "upstream_streams": options.settings.max_concurrent_requests,
        }
    endpoints = [_address(address) for address in addresses]
    return {
        "collector_endpoints": endpoints,
        "query_endpoints": endpoints,
        "status_endpoints": endpoints,
        "cluster_type": "STRICT_DNS",
        "upstream_socket": tls.upstream_socket(options.upstream_tls) if options.upstream_tls else None,
        "connect_timeout": "2s",
        # A connection stays with one of a node's workers: many short ones spread over them.
        "upstream_streams": 8,
    }


def _address(host_and_port: str) -> dict[str, Any]:
    host, _, port = host_and_port.rpartition(":")
    return {"endpoint": {"address": {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}}}}


def _plain(value: int | timedelta) -> int | str:
    """A number as it is, a duration as Envoy writes it."""
    return f"{value.total_seconds():g}s" if isinstance(value, timedelta) else value


def _deadline(value: timedelta) -> str:
    """As the header grpc-timeout writes a duration."""
    return f"{round(value.total_seconds() * 1000)}m"


def replies(limits: Mapping[str, Any]) -> dict[str, Any]:
    """By the names of `reasons.gateway`: the text, the JSON, and the headers of what names a delay.

    Args:
        limits: what the texts name.
    """
    found: dict[str, Any] = {
        "text_unknown_method": UNKNOWN_METHOD.text,
        "grpc_status_body_too_large": str(gateway.BODY_TOO_LARGE.code.value[0]),
        "grpc_details_body_too_large": _grpc_details(gateway.BODY_TOO_LARGE),
    }
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


def _grpc_details(reason: Reason) -> str:
    """The header grpc-status-details-bin, where a caller that speaks gRPC is told more than a text."""
    status = json_format.ParseDict({"code": reason.code.value[0], "details": [*_details(reason)]}, Status())
    return base64.b64encode(status.SerializeToString()).decode().rstrip("=")
