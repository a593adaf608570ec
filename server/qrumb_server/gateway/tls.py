"""Envoy's TLS contexts, and the files out of which it takes certificates."""

import ipaddress
import json
from collections.abc import Sequence
from typing import Any, Final

from qrumb_server.gateway.options import UpstreamTlsOptions

__all__ = ["SECRET_NAME", "UPSTREAM_SECRET_NAME", "quic_context", "secret", "server_socket", "upstream_socket"]

# Envoy's names for what is in the files.
SECRET_NAME: Final = "gateway"  # noqa: S105  (a name)
UPSTREAM_SECRET_NAME: Final = "upstream"  # noqa: S105
_TYPES: Final = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."


def secret(certificate: bytes, key: bytes, name: str = SECRET_NAME) -> str:
    """The content of GatewayOptions.tls_secret_file: the pair itself, so that Envoy always gets both at once.

    Args:
        name: UPSTREAM_SECRET_NAME for UpstreamTlsOptions.secret_file.
    """
    pair = {"certificate_chain": certificate, "private_key": key}
    found = {
        "@type": f"{_TYPES}Secret",
        "name": name,
        "tls_certificate": {name: {"inline_string": pem.decode()} for name, pem in pair.items()},
    }
    return json.dumps({"resources": [found]})


def server_socket(secret_file: str) -> dict[str, Any]:
    """HTTPS over TCP."""
    return _socket("DownstreamTlsContext", _server_context(secret_file, ["h2", "http/1.1"]))


def quic_context(secret_file: str) -> dict[str, Any]:
    """The same for HTTP/3."""
    return _server_context(secret_file, ["h3"])


def upstream_socket(tls: UpstreamTlsOptions) -> dict[str, Any]:
    """TLS towards the nodes."""
    try:
        ipaddress.ip_address(tls.server_name)
    except ValueError:
        kind, sni = "DNS", {"sni": tls.server_name}
    else:
        kind, sni = "IP_ADDRESS", {}
    common = _common(tls.secret_file, UPSTREAM_SECRET_NAME, ["h2"])
    common["validation_context"] = {
        "trusted_ca": {"inline_string": tls.authorities},
        "match_typed_subject_alt_names": [{"san_type": kind, "matcher": {"exact": tls.server_name}}],
    }
    return _socket("UpstreamTlsContext", {"common_tls_context": common, **sni})


def _socket(kind: str, context: dict[str, Any]) -> dict[str, Any]:
    return {"name": "envoy.transport_sockets.tls", "typed_config": {"@type": f"{_TYPES}{kind}", **context}}


def _server_context(secret_file: str, protocols: Sequence[str]) -> dict[str, Any]:
    return {"common_tls_context": _common(secret_file, SECRET_NAME, protocols)}


def _common(secret_file: str, secret_name: str, protocols: Sequence[str]) -> dict[str, Any]:
    """Which ciphers is left to Envoy: forward secrecy and authenticated encryption only."""
    # To watch the file's folder, Envoy wants a slash in its path.
    path = secret_file if "/" in secret_file else f"./{secret_file}"
    source = {"path_config_source": {"path": path}, "resource_api_version": "V3"}
    return {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"},
        "alpn_protocols": list(protocols),
        "tls_certificate_sds_secret_configs": [{"name": secret_name, "sds_config": source}],
    }
