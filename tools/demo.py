"""`make demo`: a node of its own with a day of believable traffic, and what to ask it. Ctrl-C stops it.

`tools/demo.py [N]`: a quieter or busier day, with N scans of the busiest code.
The data lies in DATA_DIR, else in a folder that goes with the node. HTTP_PORT and GRPC_PORT as of `make run`; any free
ones where they are not set.
"""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
from demo_day import SITE, Body, Day, make_day

SEED: Final = 7
BATCH: Final = 100
# Visitors' requests under way at a time.
AT_ONCE: Final = 16
START_SECONDS: Final = 120.0
LOAD_SECONDS: Final = 120.0
_ready = re.compile(rb"ready: (http\S+) (grpc\S+)").search


def main() -> int:
    """Returns the node's exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    stated = os.environ.get("DATA_DIR")
    folder = Path(stated).resolve() if stated else Path(tempfile.mkdtemp(prefix="qrumb-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "demo.log"
    data_dir = folder if stated else folder / "data"
    # One proxy in front: this program, which states its visitors' addresses.
    own = {"DATA_DIR": str(data_dir), "QRUMB_GATEWAY__TRUSTED_HOPS": "1"}
    environment = {"HTTP_PORT": "0", "GRPC_PORT": "0", "METRICS_PORT": "0", **os.environ, **own}
    with log.open("wb") as output:
        node = subprocess.Popen(
            [sys.executable, "-m", "qrumb_server", "serve"], stdout=output, stderr=output, env=environment
        )
    try:
        url = _wait_for(node, log)
        print(f"demo: a node at {url}, its data in {folder}; sending a day of traffic", flush=True)
        key = (data_dir / "demo.key").read_text(encoding="utf-8").strip()
        asyncio.run(_send(url, key, make_day(SEED, datetime.now(UTC), *map(int, sys.argv[1:2]))))
        _say_what_to_ask(url, own["DATA_DIR"], environment)
        return node.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        _stop(node)
        if not stated:
            shutil.rmtree(folder, ignore_errors=True)


def _stop(node: subprocess.Popen[bytes]) -> None:
    """In order; Ctrl-C has told the node already."""
    if node.poll() is None:
        node.send_signal(signal.SIGTERM)
    node.wait()


def _wait_for(node: subprocess.Popen[bytes], log: Path) -> str:
    """The node's address, once it takes events."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and node.poll() is None:
        if found := _ready(log.read_bytes()):
            return found[1].decode()
        time.sleep(0.1)
    sys.exit(f"demo: the node did not start:\n{log.read_text(encoding='utf-8')[-2000:]}")


async def _send(url: str, key: str, day: Day) -> None:
    """All of it, the visits each as a request of its own; returns once the store has it."""
    by_key = {"authorization": f"Bearer {key}"}
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
        await _post_all(client, "/scan-sessions/batch", "scan_sessions", day.scans, by_key)
        turns = asyncio.Semaphore(AT_ONCE)

        async def visit(headers: Mapping[str, str], event: Body) -> None:
            async with turns:
                # A wrong event is answered 400, as it should be.
                reply = await client.post("/collect", json=event, headers=dict(headers))
                if reply.status_code not in {200, 400}:
                    reply.raise_for_status()

        await asyncio.gather(*(visit(one.headers, one.event) for one in day.visits))
        await _post_all(client, "/server-events/batch", "events", day.sales, by_key)
        await _post_all(client, "/scan-sessions/batch", "scan_sessions", day.late_scans, by_key)
        await _wait_until_loaded(client, by_key)


async def _post_all(
    client: httpx.AsyncClient, path: str, name: str, bodies: Sequence[Body], headers: Mapping[str, str]
) -> None:
    for start in range(0, len(bodies), BATCH):
        reply = await client.post(path, json={name: bodies[start : start + BATCH]}, headers=dict(headers))
        reply.raise_for_status()


async def _wait_until_loaded(client: httpx.AsyncClient, headers: Mapping[str, str]) -> None:
    deadline = time.monotonic() + LOAD_SECONDS
    while time.monotonic() < deadline:
        reply = await client.get(f"/v1/sites/{SITE}/ledger", headers=dict(headers))
        entries: list[dict[str, Any]] = reply.raise_for_status().json().get("entries", [])
        waiting = sum(int(entry.get(name, 0)) for entry in entries for name in ("spooled_count", "scan_spooled_count"))
        if entries and not waiting:
            return
        await asyncio.sleep(0.2)
    sys.exit("demo: ClickHouse has not taken all events yet; `qrumb status` says why")


def _say_what_to_ask(url: str, data_dir: str, environment: Mapping[str, str]) -> None:
    """The funnel, and the commands for more."""
    qrumb = f"DATA_DIR={data_dir} {Path(sys.executable).parent / 'qrumb'}"
    subprocess.run(
        [sys.executable, "-m", "qrumb_server", "funnel", "--site", SITE, "--format", "table"],
        env=dict(environment),
        check=True,
    )
    print("What to ask next:")
    for command in (
        f"funnel --site {SITE} --by device",
        f"counts --site {SITE} --bucket hour",
        f"attribution --site {SITE}",
        f"ledger --site {SITE}",
        f"rejected --site {SITE}",
    ):
        print(f"  {qrumb} {command}")
    if httpx.get(f"{url}/console/", follow_redirects=True).status_code == httpx.codes.OK:
        print(f"  {url}/console/#/codes?site={SITE}&range=1d in a browser, with the key in {data_dir}/demo.key")
    print("The node runs on. Ctrl-C stops it.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
