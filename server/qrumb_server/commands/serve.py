"""`qrumb serve`: run a node in the foreground."""

import asyncio
import json
import shlex

import click

from qrumb_server.app.clock import SystemClock
from qrumb_server.commands.demo import DEMO, demo_key, demo_key_path, ensure_sites
from qrumb_server.commands.node import reachable
from qrumb_server.config import Settings
from qrumb_server.supervise.logs import configure_logging
from qrumb_server.supervise.metrics import HOST
from qrumb_server.supervise.node import run_node
from qrumb_server.supervise.surroundings import DATA_DIR_MODE, make_folder

__all__ = ["serve"]

EXAMPLE = {
    "site_id": "demo",
    "event_type": "pageview",
    "page_url": "https://shop.example/",
    "consent": "granted",
}


def serve(settings: Settings) -> int:
    """Run until SIGTERM or Ctrl-C; returns the exit code."""
    configure_logging(settings.log_level, "supervisor")
    make_folder(settings.data_dir, DATA_DIR_MODE)
    ensure_sites(settings)
    settings.open_sites()  # to be refused here, with all that is wrong
    return asyncio.run(run_node(settings, clock=SystemClock(), announce=announce))


def announce(settings: Settings) -> None:
    """Say where the node listens and how to send a first event; the last line is for programs too."""
    grpc_scheme = "grpcs" if settings.rpc.tls else "grpc"
    grpc_url = f"{grpc_scheme}://{reachable(settings.grpc_host)}:{settings.grpc_port}"
    lines = [f"data:    {settings.data_dir}", f"workers: {settings.workers}"]
    lines += _about_sites(settings)
    if settings.metrics.enabled:
        lines.append(f"metrics: http://{HOST}:{settings.metrics.port}/metrics")
    if settings.gateway.enabled:
        scheme = "https" if settings.gateway.tls else "http"
        http_url = f"{scheme}://{reachable(settings.http_host)}:{settings.http_port}"
        collect_url = http_url + settings.gateway.collect_paths[0]
        versions = "JSON, gRPC and gRPC-Web" + ("; HTTP/3 too" if settings.gateway.http3 else "")
        lines += [
            f"{scheme + ':':9}{http_url}  ({versions})",
            f"grpc:    {grpc_url.partition('://')[2]}  (direct)",
            "",
            "Send a first event, then read it back a second later:",
            f"  curl {collect_url} -H 'content-type: application/json' -d '{json.dumps(EXAMPLE)}'",
            '  .venv/bin/qrumb query "SELECT event_time, site_id, event_type FROM events.valid_events"',
            "",
            f"ready: {http_url} {grpc_url}",
        ]
    else:
        lines += ["", f"ready: {grpc_url}"]
    click.echo("\n".join(lines))


def _about_sites(settings: Settings) -> list[str]:
    if settings.access == "open":
        return ["sites:   access = open: everyone on this machine may send and read everything, without a key"]
    sites = ", ".join(sorted(settings.site_file.sites())) or "none: `qrumb sites add SITE` adds one"
    lines = [f"sites:   {sites}  ({settings.sites_path})"]
    if demo_key(settings):
        # Only where it lies: what a node prints is often kept as a log.
        lines.append(
            f"key:     export QRUMB_KEY=$(cat {shlex.quote(str(demo_key_path(settings)))})  (for backends of {DEMO})"
        )
    return lines
