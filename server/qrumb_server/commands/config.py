"""`qrumb config show` and `config sites`: what is set; `qrumb gateway-config`: what Envoy reads where the gateway has a
machine of its own, in front of nodes on others."""

import shlex
from pathlib import Path
from typing import Final

import click

from qrumb_server.commands.options import config_option, with_settings
from qrumb_server.config import Settings, load_settings
from qrumb_server.config.describe import commented_settings, commented_sites
from qrumb_server.errors import ConfigError
from qrumb_server.gateway import process, tls
from qrumb_server.gateway.options import GatewayOptions, UpstreamTlsOptions
from qrumb_server.gateway.render import render
from qrumb_server.supervise import sockets
from qrumb_server.supervise.certificates import TLS_SETTING, Use, read_authority, read_pair
from qrumb_server.supervise.folders import write_private
from qrumb_server.supervise.gateway import TLS_SECRET_FILE

__all__ = ["config", "gateway_config"]

UPSTREAM_SETTING: Final = "gateway.upstream_tls"
UPSTREAM_SECRET_FILE: Final = "upstream-tls.json"  # noqa: S105  (a name)


@click.group()
def config() -> None:
    """Look at the settings."""


@config.command()
@click.option("--commented", is_flag=True, help="As a qrumb.toml that explains every setting; without secrets.")
@with_settings
def show(settings: Settings, commented: bool) -> None:
    """Print the settings in force, as JSON, secrets masked."""
    click.echo(commented_settings(settings) if commented else settings.model_dump_json(indent=2))


@config.command("sites")
def explain_sites() -> None:
    """Print a commented sites.toml, with everything that a site may state."""
    click.echo(commented_sites())


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@config_option
def gateway_config(folder: Path, config_file: Path | None) -> None:
    """Make what Envoy needs as a gateway on a machine of its own, into FOLDER, and print the command that runs it.

    The nodes are named in gateway.upstream. Run it again when a certificate was renewed: Envoy takes that over while
    it runs. FOLDER holds the keys and belongs to you alone.
    """
    settings = load_settings(file=config_file)
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
        console_dir=settings.console_files,
        traces=settings.traces,
    )
    files["envoy.yaml"] = render(options)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, text in files.items():
        write_private(folder / name, text)
    run = shlex.join(process.command(Path("envoy.yaml"), concurrency=own.concurrency))
    click.echo(f"cd {shlex.quote(str(folder.absolute()))} && exec {run}")
