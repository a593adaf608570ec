"""A node with the console and a shop's events, before a real Chromium."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.console_shop import AGENT, send_shop
from tests.support.javascript import ROOT, built, chromium
from tests.support.ports import claimed_port
from tests.support.stack import Stack, running_stack, wait_until

SITE = "demo"
PLANNED = "planned"


@pytest.fixture(scope="package")
def package() -> Path:
    """The console's folder, built."""
    return built(ROOT / "console")


@pytest.fixture(scope="package")
def node(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """On a port that it keeps when it is started again; it asks for keys."""
    chromium()
    settings = {
        "QRUMB_ACCESS": "keys",
        "HTTP_PORT": str(claimed_port()),
        "QRUMB_CONSOLE_DIR": str(package / "dist"),
        "COLLECT_PATHS": "/e,/collect",
        "QRUMB_WATCH__INTERVAL": "PT3S",
        "QRUMB_WORKERS": "1",  # a plan is known to each at its own moment
        "QRUMB_QUERIES__MAX_WAIT": "PT30S",  # a slow machine
    }
    with running_stack(tmp_path_factory.mktemp("console") / "data", **settings) as running:
        with running.http() as client:
            send_shop(client, SITE, key_of(running))
            reject_by_a_plan(running, client)
        running.wait_for_empty_spool()
        watch_suspects(running)
        yield running


def reject_by_a_plan(node: Stack, client: httpx.Client) -> None:
    """An event that a plan rejects, which is then taken back: a replay accepts it."""
    plan = node.data_dir / "plans" / SITE / f"{PLANNED}.schema.json"
    event = {"site_id": SITE, "event_type": PLANNED}

    def verdict() -> int:
        return client.post("/e?validate_only=true", json=event, headers={"user-agent": AGENT}).status_code

    plan.parent.mkdir(parents=True)
    plan.write_text('{"x-qrumb-mode": "enforce", "type": "object", "required": ["sku"]}')
    wait_until(lambda: verdict() == 400)
    assert client.post("/e", json=event, headers={"user-agent": AGENT}).status_code == 400
    plan.unlink()
    wait_until(lambda: verdict() == 200)


def watch_suspects(node: Stack) -> None:
    """A rule that says an alarm, whose receiver takes nothing."""
    rule = {"name": "many are suspect", "kind": "suspect_share", "over": 0.01, "least": 1}
    said = "".join(f"{name} = {json.dumps(value)}\n" for name, value in rule.items())
    secret = f"whsec_{base64.b64encode(bytes(32)).decode()}"
    with (node.data_dir / "sites.toml").open("a") as sites:
        sites.write(f'[{SITE}.watch]\nurl = "http://127.0.0.1:1/"\nsecret = "{secret}"\n[[{SITE}.watch.rules]]\n{said}')
    key = {"authorization": f"Bearer {key_of(node)}"}
    with node.http() as client:
        wait_until(lambda: client.get(f"/v1/sites/{SITE}/alarms", headers=key).json()["waiting_message_count"])


def key_of(node: Stack) -> str:
    """The key that the node's first start made."""
    return (node.data_dir / "demo.key").read_text().strip()
