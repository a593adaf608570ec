"""`qrumb serve`: run a node in the foreground; `qrumb restart`: start its processes anew."""

import asyncio
import functools
import json
import os
import shlex
import sys
from pathlib import Path

import click

from qrumb_server.app.clock import SystemClock
from qrumb_server.app.tracing import check_traces
from qrumb_server.commands.demo import DEMO, demo_key, demo_key_path, ensure_sites
from qrumb_server.commands.node import reachable
from qrumb_server.commands.options import config_option, data_dir_option, with_settings
from qrumb_server.commands.samples import FIREFOX
from qrumb_server.config import Settings, load_settings
from qrumb_server.supervise.child import RESTART_SIGNAL
from qrumb_server.supervise.logs import configure_logging
from qrumb_server.supervise.node import run_node
from qrumb_server.supervise.notify import READY, STOPPING, notify
from qrumb_server.supervise.surroundings import DATA_DIR_MODE, holder_of, make_folder, wait_for_room

__all__ = ["first_steps", "restart", "serve"]

EXAMPLE = {
    "event_type": "pageview",
    "page_url": "https://shop.example/",
    "consent": "granted",
}


@click.command()
@config_option
@data_dir_option
@click.option("--http-port", type=int, help="Port of the gateway; else HTTP_PORT, else 8080. 0: any free one.")
@click.option("--grpc-port", type=int, help="Port of direct gRPC; else GRPC_PORT, else 9090. 0: any free one.")
@click.option("--workers", type=int, help="Collector processes; default: one per core.")
def serve(
    config_file: Path | None,
    data_dir: Path | None,
    http_port: int | None,
    grpc_port: int | None,
    workers: int | None,
) -> None:
    """Run a node in the foreground: gateway, collector workers, loader, embedded ClickHouse.

    Prints `ready: URL URL` when it takes events. Ctrl-C or SIGTERM stops it in order and loses nothing.
    """
    settings = load_settings(
        file=config_file, data_dir=data_dir, http_port=http_port, grpc_port=grpc_port, workers=workers
    )
    configure_logging(settings.log_level, "supervisor")
    make_folder(settings.data_dir, DATA_DIR_MODE)
    wait_for_room(settings.data_dir)
    ensure_sites(settings)
    settings.open_sites()  # to be refused here, with all that is wrong
    check_traces(settings.traces)
    manager = os.environ.get("NOTIFY_SOCKET", "")

    def announce(serving: Settings) -> None:
        _announce(serving)
        notify(manager, READY)

    sys.exit(
        asyncio.run(
            run_node(
                settings, clock=SystemClock(), announce=announce, stopping=functools.partial(notify, manager, STOPPING)
            )
        )
    )


@click.command()
@with_settings
def restart(settings: Settings) -> None:
    """Start the processes of the running node anew, one after another, while it takes events: after an update of its
    packages, for example. Its settings stay as they are; for others, stop and start it.

    `kill -HUP` of a supervisor without a terminal does the same.
    """
    supervisor = holder_of(settings.data_dir)
    if supervisor is None:
        raise click.ClickException(
            f"no node runs in {settings.data_dir}; start one with `qrumb serve`, or set DATA_DIR"
        )
    os.kill(supervisor, RESTART_SIGNAL)
    click.echo("restarting, one process after another; the node's log says restart_done")


def _announce(settings: Settings) -> None:
    """Say where the node listens and how to send a first event; the last line is for programs too."""
    grpc_scheme = "grpcs" if settings.rpc.tls else "grpc"
    grpc_url = f"{grpc_scheme}://{reachable(settings.grpc_host)}:{settings.grpc_port}"
    lines = [f"data:    {settings.data_dir}", f"workers: {settings.workers}"]
    lines += _about_sites(settings)
    if settings.metrics.enabled:
        lines.append(f"metrics: http://{reachable(settings.metrics.host)}:{settings.metrics.port}/metrics")
    if settings.gateway.enabled:
        scheme = "https" if settings.gateway.tls else "http"
        http_url = f"{scheme}://{reachable(settings.http_host)}:{settings.http_port}"
        collect_url = http_url + settings.gateway.collect_paths[0]
        versions = "JSON, gRPC and gRPC-Web" + ("; HTTP/3 too" if settings.gateway.http3 else "")
        lines += [
            f"{scheme + ':':9}{http_url}  ({versions})",
            f"console: {_console(settings, http_url)}",
            f"grpc:    {grpc_url.partition('://')[2]}  (direct)",
            *first_steps(settings, collect_url),
            "",
            f"ready: {http_url} {grpc_url}",
        ]
    else:
        lines += ["", f"ready: {grpc_url}"]
    click.echo("\n".join(lines))


def first_steps(settings: Settings, collect_url: str) -> list[str]:
    """With an event of a site that is served here; nothing where there is none yet."""
    sites = sorted(settings.site_file.sites(), key=lambda site_id: (site_id != DEMO, site_id))
    site_id = next(iter(sites), DEMO if settings.access == "open" else None)
    if site_id is None:
        return []
    event = json.dumps({"site_id": site_id, **EXAMPLE})
    return [
        "",
        "Send a first event, then read it back a second later:",
        # curl itself is a bot, and the event would be a suspect one.
        f"  curl {collect_url} -A '{FIREFOX}' -d '{event}'",
        f'  {_program(settings)} query "SELECT event_time, site_id, event_type FROM events.valid_events"',  # noqa: S608  (shown)
    ]


def _program(settings: Settings) -> str:
    """The command beside this Python, for this node, as it can be called from any folder."""
    return f"DATA_DIR={shlex.quote(str(settings.data_dir))} {Path(sys.executable).with_name('qrumb')}"


def _console(settings: Settings, http_url: str) -> str:
    if settings.console_files is not None:
        return f"{http_url}/console/"
    return "not built here, so none; the set-up says why" if settings.console else "off"


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
