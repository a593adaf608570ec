"""`qrumb micro`: one light process that stands for a node in tests."""

import asyncio
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import Final

import click

from qrumb_server.commands.options import config_option
from qrumb_server.config import ClickHouseSettings, Settings, load_settings
from qrumb_server.errors import ConfigError
from qrumb_server.supervise.folders import prepare_folders
from qrumb_server.supervise.logs import configure_logging
from qrumb_server.supervise.surroundings import enter_run_dir, reserve_port

__all__ = ["micro"]

MEMORY: Final = Path("/dev/shm")  # noqa: S108  (the folder of a file system in memory)
HOST: Final = "127.0.0.1"


@click.command()
@config_option
@click.option("--http-port", type=int, default=0, help="Port of JSON over HTTP; default: any free one.")
@click.option("--grpc-port", type=int, default=0, help="Port of gRPC; default: any free one.")
@click.option(
    "--sites",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path),
    help="A sites.toml: only its sites are served, and backends need its keys. Without: every site, without a key.",
)
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="Where to make the temporary folder; default: in memory, where there is such a file system.",
)
@click.option("--tied", is_flag=True, help="End when standard input is closed: for a parent that may be killed.")
def micro(
    config_file: Path | None, http_port: int, grpc_port: int, sites: Path | None, folder: Path | None, tied: bool
) -> None:
    """Run a node for tests: one process with the rules, verdicts and rows of a real one, kept nowhere.

    Prints `ready: URL URL` when it takes events. JSON over HTTP, gRPC, and for tests POST /test/expect,
    GET /test/events, POST /test/reset. It listens on this machine alone.
    """
    from qrumb_server.app.micro import MicroPorts, run_micro  # --help needs none of it

    if tied:
        _check_input()
    where = folder or (MEMORY if os.access(MEMORY, os.W_OK) else None)
    with tempfile.TemporaryDirectory(prefix="qrumb-micro-", dir=where) as data_dir:
        settings = _kept_to_itself(
            load_settings(
                file=config_file,
                data_dir=Path(data_dir),
                http_host=HOST,
                http_port=http_port,
                grpc_host=HOST,
                grpc_port=grpc_port,
                workers=1,
                access="keys" if sites else "open",
                sites_file=sites,
            )
        )
        configure_logging("warning", "micro")
        settings.open_sites()  # to be refused here, with all that is wrong
        with reserve_port(HOST, settings.grpc_port, "--grpc-port") as reserved:
            settings = settings.model_copy(update={"grpc_port": reserved.getsockname()[1]})
            prepare_folders(settings)

            def announce(ports: MicroPorts) -> None:
                click.echo(f"ready: http://{HOST}:{ports.http} grpc://{HOST}:{ports.grpc}")

            home = Path.cwd()
            enter_run_dir(settings.run_dir)
            try:
                code = asyncio.run(run_micro(settings, announce, _input_closed() if tied else _never()))
            finally:
                os.chdir(home)
    sys.exit(code)


def _kept_to_itself(settings: Settings) -> Settings:
    """What is emptied between tests must be its own, whatever the environment says of a ClickHouse server."""
    rpc = settings.rpc.model_copy(update={"tls": None})
    spool = settings.spool.model_copy(update={"min_free_bytes": 0})
    return settings.model_copy(update={"clickhouse": ClickHouseSettings(), "rpc": rpc, "spool": spool})


async def _never() -> None:
    await asyncio.Event().wait()


def _check_input() -> None:
    """Raises ConfigError where standard input is a file or a device, which say nothing of a parent."""
    mode = os.fstat(sys.stdin.fileno()).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or sys.stdin.isatty()):
        raise ConfigError("--tied needs a pipe as standard input, held open by the process that it ends with")


async def _input_closed() -> None:
    """Until standard input has ended."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1024):
        pass
