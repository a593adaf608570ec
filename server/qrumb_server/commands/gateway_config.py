"""`qrumb gateway-config`: what Envoy reads where the gateway has a machine of its own, in front of nodes on others."""

import shlex
from pathlib import Path
from typing import Final

import click

from qrumb_server.config import Settings
from qrumb_server.errors import ConfigError
from qrumb_server.gateway import process, tls
from qrumb_server.gateway.options import GatewayOptions, UpstreamTlsOptions
from qrumb_server.gateway.render import render
from qrumb_server.supervise import sockets
from qrumb_server.supervise.certificates import Use, read_authority, read_pair
from qrumb_server.supervise.folders import write_private
from qrumb_server.supervise.gateway import TLS_SECRET_FILE, TLS_SETTING

__all__ = ["gateway_config"]

UPSTREAM_SETTING: Final = "gateway.upstream_tls"
UPSTREAM_SECRET_FILE: Final = "upstream-tls.json"  # noqa: S105  (a name)


def gateway_config(settings: Settings, folder: Path) -> None:
    """Write the files into the folder and print the command that runs Envoy with them.

    Raises:
        ConfigError: no nodes are named, or a certificate cannot be used.
    """
    own = settings.gateway
    if not own.upstream:
        raise ConfigError('gateway.upstream names no node: set it to their direct gRPC, such as ["node-1:9090"]')
    files = {}
    if own.tls is not None:
        pair = read_pair(own.tls, TLS_SETTING)
        files[TLS_SECRET_FILE] = tls.secret(pair.certificate, pair.key)
    upstream_tls = None
    if own.upstream_tls is not None:
        pair = read_pair(own.upstream_tls, UPSTREAM_SETTING, Use.CLIENT)
        files[UPSTREAM_SECRET_FILE] = tls.secret(pair.certificate, pair.key, tls.UPSTREAM_SECRET_NAME)
        authorities = read_authority(own.upstream_tls.ca_file, f"{UPSTREAM_SETTING}.ca_file").decode()
        upstream_tls = UpstreamTlsOptions(
            secret_file=UPSTREAM_SECRET_FILE, authorities=authorities, server_name=own.upstream_tls.server_name
        )
    options = GatewayOptions(
        settings=own,
        max_body_bytes=settings.rpc.max_event_bytes,
        max_batch_bytes=settings.rpc.max_batch_bytes,
        host=settings.http_host,
        http_port=settings.http_port,
        admin_socket=sockets.GATEWAY_ADMIN[0],
        collector_addresses=own.upstream,
        upstream_tls=upstream_tls,
        tls_secret_file=TLS_SECRET_FILE if own.tls else None,
    )
    files["envoy.yaml"] = render(options)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, text in files.items():
        write_private(folder / name, text)
    run = shlex.join(process.command(Path("envoy.yaml"), concurrency=own.concurrency))
    click.echo(f"cd {shlex.quote(str(folder.absolute()))} && exec {run}")
