"""The guides of docs/, done as they stand on one fresh node: each block of shell and program, in order.

A block of `text` is for what a test cannot do here (a package manager, a foreground process of its own).
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from qrumb_server.config import load_settings
from tests.support.javascript import chromium
from tests.support.patience import patient
from tests.support.plain_http import NO_TLS
from tests.support.ports import claimed_port
from tests.support.receiver import running_receiver
from tests.support.stack import Stack, running_stack, wait_until
from tests.support.tied import TIED

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(300)]

FIREFOX = "Mozilla/5.0 (Android 15; Mobile; rv:142.0) Gecko/142.0 Firefox/142.0"
DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGES = ("tls-and-keys", "consent", "clickhouse", "watch", "backup", "upgrade")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """As `make run` starts it, but for the ports."""
    settings = {"QRUMB_ACCESS": "keys", "QRUMB_WATCH__INTERVAL": "PT1S"}
    with running_stack(tmp_path_factory.mktemp("guides") / "data", **settings) as running:
        yield running


def blocks(page: str, language: str) -> list[str]:
    """A page's examples in one language."""
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / f"{page}.md").read_text(encoding="utf-8"), re.DOTALL)


def shell(node: Stack, script: str, **environment: str) -> str:
    """What a script prints, run beside the data folder; it stops at the first command that fails."""
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=node.data_dir.parent,
        env={**node.environment(), "PATH": path, "QRUMB_URL": f"grpc://{node.grpc_target}", **environment},
        capture_output=True,
        text=True,
        timeout=patient(120),
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


@contextlib.contextmanager
def running(program: Path, environment: Mapping[str, str], url: str) -> Iterator[None]:
    """A program that serves `url`, once it does."""
    command = [*TIED, sys.executable, program.name]
    with subprocess.Popen(command, cwd=program.parent, env=environment, stdin=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: answers(url), 60)
            yield
        finally:
            process.terminate()


def answers(url: str) -> bool:
    """Whether a server is there."""
    try:
        return httpx.get(url, timeout=patient(20), verify=NO_TLS).status_code == 200
    except httpx.ConnectError:
        return False


def opened(url: str, profile: Path) -> str:
    """A page as a real browser has it, once its script has run."""
    browser = chromium()
    version = subprocess.run([browser, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    # Headless says so in its own agent, and would be marked as a bot.
    agent = f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version} Safari/537.36"
    flags = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-agent={agent}", f"--user-data-dir={profile}")
    done = subprocess.run(
        [browser, *flags, f"--timeout={patient(5) * 1000:.0f}", "--dump-dom", url],
        capture_output=True,
        text=True,
        timeout=patient(60),
        check=True,
    )
    return done.stdout


def test_the_tutorial_leads_from_a_poster_to_a_number(node: Stack, tmp_path: Path) -> None:
    """A real browser opens the poster's address; the funnel has its scan, its visit and its sale."""
    shop = f"http://127.0.0.1:{claimed_port()}"

    def here(text: str) -> str:
        found = text.replace("http://127.0.0.1:8080", node.url).replace("http://127.0.0.1:8000", shop)
        return found.replace("port=8000", f"port={shop.rpartition(':')[2]}")

    site, poster, number = map(here, blocks("tutorial", "sh"))
    key, secret = shell(node, f'{site}\necho "$QRUMB_KEY"; echo "$QRUMB_SESSION_SECRET"').split()
    program = tmp_path / "shop.py"
    [text] = blocks("tutorial", "python")
    program.write_text(here(text))
    own = {"QRUMB_KEY": key, "QRUMB_SESSION_SECRET": secret, "QRUMB_URL": f"grpc://{node.grpc_target}"}
    assert len(shell(node, poster).splitlines()) > 20
    with running(program, {**node.environment(), **own}, shop):
        [session] = re.findall(r'scan_session_id: "([^"]+)"', opened(f"{shop}/q/poster-7", tmp_path / "chromium"))
        # Pressing the button; the browser would send the cookie that the carrier had set.
        landed = httpx.get(shop, params={"qrs": session}, timeout=patient(20), verify=NO_TLS)
        cookie = landed.headers["set-cookie"].partition(";")[0]
        assert (
            httpx.post(f"{shop}/checkout", headers={"cookie": cookie}, timeout=patient(20), verify=NO_TLS).text
            == "Thank you."
        )
        # The view knows a scan that was registered after its visit.
        node.wait_for_rows(2, "site_id = 'shop' AND qr_code_id = 'poster-7' AND is_fraud = 0", "attributed_events")
    # Its reader has exported the secret in this shell.
    funnel = shell(node, f"export QRUMB_SESSION_SECRET={secret}\n{number.strip()} --format json")
    for said in ('"scan_count": 1', '"confirmed_scan_count": 1', '"visit_count": 1', '"conversion_count": 1', "34.00"):
        assert said in funnel, funnel


@pytest.mark.parametrize("page", PAGES)
def test_a_guide_can_be_followed(node: Stack, page: str) -> None:
    """Every block of shell, one after another in one shell."""
    if page == "tls-and-keys" and shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    script = "\n".join(blocks(page, "sh"))
    if page == "watch":  # its reader has the tutorial's shop; here the tutorial may come later, and makes it
        script = "qrumb sites add window\n" + script.replace("--site shop", "--site window")
    shell(node, script)
    assert node.health()["condition"] in {"READY", "DEGRADED"}


def test_the_rules_of_the_guide_are_judged_and_told(node: Stack) -> None:
    """To a receiver that fails at first, with a signature; told once, also where the loader is killed meanwhile."""
    key = shell(node, "qrumb sites add stadium --origin https://stadium.example").strip()
    secret, (rules, *_), (program,) = (
        shell(node, blocks("watch", "sh")[0]).strip(),
        blocks("watch", "toml"),
        blocks("watch", "python"),
    )
    verified: dict[str, Any] = {}
    exec(program, verified)  # the guide's own receiver
    with running_receiver(secret) as receiver, node.http() as client:
        receiver.status = 503
        text = rules.replace("[shop.", "[stadium.").replace("whsec_...", secret)
        with (node.data_dir / "sites.toml").open("a") as sites:
            sites.write("\n" + text.replace("https://hooks.shop.example/qrumb", receiver.url))
        client.headers["authorization"] = f"Bearer {key}"
        register(client, 60, request_method="HEAD")
        wait_until(lambda: receiver.tries, 60)
        node.children()["loader"].kill()
        receiver.status = 204
        [told] = wait_until(lambda: receiver.taken, 60)
        assert (told["type"], told["data"]["rule"]) == ("watch.began", "many scans are suspect")
        assert len(set(receiver.tries)) == 1
        body, headers = receiver.last
        assert verified["receive"](secret, headers, body) == "60 of 60 scans are suspect within 24 hours (100%)"
        said = [json.loads(line) for line in shell(node, "qrumb watch --site stadium --format json").splitlines()]
        assert {one["rule"]: one["state"] for one in said if one["since"]} == {"many scans are suspect": "alarm"}
        register(client, 60, request_method="GET", user_agent=FIREFOX)
        wait_until(lambda: len(receiver.taken) == 2, 60)
        assert receiver.taken[1]["type"] == "watch.ended"
        tested = shell(node, "qrumb watch --site stadium --test --format json").splitlines()[-1]
        assert (json.loads(tested)["state"], json.loads(tested)["text"]) == ("test", "taken")
        assert receiver.taken[2]["type"] == "watch.test"


def register(client: httpx.Client, number: int, **request: str) -> None:
    """That many scans of one poster."""
    sessions = [
        {"site_id": "stadium", "scan_session_id": str(uuid4()), "qr_code_id": "gate-1", **request}
        for _ in range(number)
    ]
    assert client.post("/scan-sessions/batch", json={"scan_sessions": sessions}).status_code == 200


@pytest.mark.parametrize("page", ["tls-and-keys", "clickhouse"])
def test_settings_of_the_guides_are_settings(page: str, tmp_path: Path) -> None:
    """Each block of a qrumb.toml is understood; a wrong name would be an error."""
    for number, text in enumerate(blocks(page, "toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(text.replace("/etc/qrumb/clickhouse-password", "/dev/null"))
        assert load_settings(file=file, environment={})
