"""What the README, docs/getting-started.md and a first start say, done as it stands: a fresh node, its site `demo`."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.patience import patient
from tests.support.stack import Stack, running_stack

pytestmark = pytest.mark.stack

ROOT = Path(__file__).resolve().parent.parent.parent.parent
README = ROOT / "README.md"
GETTING_STARTED = ROOT / "docs" / "getting-started.md"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A node as `make run` starts it, but for the ports."""
    with running_stack(tmp_path_factory.mktemp("fresh") / "data", database="", QRUMB_ACCESS="keys") as running:
        yield running


def run(stack: Stack, *command: str) -> str:
    """The output of a command in the folder beside `data`."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=patient(30),
        check=False,
        cwd=stack.data_dir.parent,
        env={**stack.environment(), "QRUMB_KEY": key_of(stack), "QRUMB_URL": f"grpc://{stack.grpc_target}"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def key_of(stack: Stack) -> str:
    return (stack.data_dir / "demo.key").read_text().strip()


def code_blocks(page: Path, language: str) -> list[str]:
    """A page's examples in one language."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def curl(stack: Stack, block: str) -> Any:
    """The answer to a curl command as it stands, but for the port."""
    assert "http://127.0.0.1:8080" in block
    command = block.replace("http://127.0.0.1:8080", stack.url).removeprefix("curl")
    return json.loads(run(stack, "bash", "-c", f"curl --silent {command}"))


def curl_blocks(page: Path) -> list[str]:
    return [block for block in code_blocks(page, "sh") if block.startswith("curl ")]


def test_the_first_start_makes_a_site_and_says_where_its_key_lies(fresh: Stack) -> None:
    """In a file of its owner alone, and nowhere else: what a node prints is often kept as a log."""
    key = key_of(fresh)
    assert (fresh.data_dir / "demo.key").stat().st_mode & 0o777 == 0o600
    assert (fresh.data_dir / "sites.toml").stat().st_mode & 0o777 == 0o600
    assert fresh.stop() == 0
    fresh.start()
    assert key.rpartition("_")[2] not in fresh.log()
    lines = [line for line in fresh.log().splitlines() if line.startswith("key:")]
    assert len(lines) == 2
    for line in lines:
        command = line.removeprefix("key:").partition("  (")[0].strip()
        assert run(fresh, "bash", "-c", f"unset QRUMB_KEY; {command}; echo $QRUMB_KEY").strip() == key


def test_the_key_for_a_first_try_cannot_erase(fresh: Stack) -> None:
    """It collects and queries."""
    with fresh.http() as client:
        client.headers["authorization"] = f"Bearer {key_of(fresh)}"
        assert client.get("/v1/sites/demo/ledger").status_code == 200
        refused = client.post("/v1/sites/demo/erase-subject", json={"user_id": "jane"})
    assert (refused.status_code, refused.json()["details"][0]["reason"]) == (403, "KEY_SCOPE")


def test_readme_key_line(fresh: Stack) -> None:
    """`export QRUMB_KEY=...` as it stands."""
    line = next(block for block in code_blocks(README, "sh") if block.startswith("export QRUMB_KEY="))
    assert run(fresh, "bash", "-c", f"unset QRUMB_KEY; {line.strip()}; echo $QRUMB_KEY").strip() == key_of(fresh)


def test_readme_leads_from_a_scan_to_the_first_number(tmp_path: Path) -> None:
    """Every curl line in turn, on a node of its own; the funnel is the one of which the page shows what counts."""
    scan, pageview, purchase, funnel = curl_blocks(README)
    [shown] = code_blocks(README, "json")
    with running_stack(tmp_path / "data", database="", QRUMB_ACCESS="keys", QRUMB_WORKERS="1") as stack:
        assert curl(stack, scan)["scan_session"]["qr_code_id"] == "poster-7"
        assert curl(stack, pageview)["receipt"]["outcome"] == "ACCEPTED"
        assert curl(stack, purchase)["receipt"]["outcome"] == "ACCEPTED"
        stack.wait_for_rows(2)
        [said], [meant] = curl(stack, funnel)["funnels"], json.loads(shown)["funnels"]
        assert {name: said[name] for name in meant} == meant
        # Why the page has a browser's name in it:
        assert curl(stack, re.sub("-A '[^']*'", "", pageview))["receipt"]["outcome"] == "ACCEPTED"
        stack.wait_for_rows(1, "has(fraud_reasons, 'bot')")


def test_python_example_runs(fresh: Stack) -> None:
    """As it stands: address and key come from the environment."""
    [example] = code_blocks(GETTING_STARTED, "python")
    assert "outcome: ACCEPTED" in run(fresh, sys.executable, "-c", example)
    fresh.wait_for_rows(1, "conversion_value = 49.9")


def test_dry_run_example_says_what_was_taken_out(fresh: Stack) -> None:
    """The address in the URL, in a warning."""
    [dry_run] = curl_blocks(GETTING_STARTED)
    assert [warning["code"] for warning in curl(fresh, dry_run)["receipt"]["warnings"]] == ["EMAIL_REDACTED"]


def test_commands_of_getting_started_run(fresh: Stack) -> None:
    """Each `qrumb` line as it stands."""
    lines = [
        line.partition("#")[0].removeprefix(".venv/bin/qrumb").strip()
        for block in code_blocks(GETTING_STARTED, "sh")
        for line in block.splitlines()
        if line.startswith(".venv/bin/qrumb")
    ]
    assert len(lines) == 15
    for line in lines:
        done = fresh.command(*shlex.split(line))
        assert done.returncode == 0, f"{line}: {done.stderr}"


def test_printed_curl_line_works_as_pasted(fresh: Stack) -> None:
    """The line that a start prints."""
    lines = [line for line in fresh.log().splitlines() if line.strip().startswith("curl ")]
    answer = run(fresh, "bash", "-c", lines[-1].replace("curl", "curl --silent", 1))
    assert json.loads(answer)["receipt"]["outcome"] == "ACCEPTED"


def test_send_takes_the_key_of_demo(fresh: Stack) -> None:
    """Without a word from the user, on the node's own machine."""
    done = fresh.command("send", "--count", "30", "--seed", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "accepted: 30\n"


def test_send_without_a_key_says_what_is_missing(fresh: Stack) -> None:
    """To an address that was given, no key of this machine is sent."""
    events = '{"site_id": "demo", "scan_session_id": "s", "event_name": "lead"}'
    done = fresh.command("send", "--url", fresh.url, "-", text=events)
    assert done.returncode == 1
    assert "answered 401: this call needs a key" in done.stderr


def test_open_access_is_for_this_machine_only(tmp_path: Path) -> None:
    """A node that everybody may write to does not start on a public address."""
    done = Stack(tmp_path / "data", QRUMB_HTTP_HOST="0.0.0.0").command("serve")
    assert done.returncode == 78
    assert "http_host must be 127.0.0.1" in done.stderr


def test_a_broken_sites_file_refuses_the_start(tmp_path: Path) -> None:
    """Every problem in a line of its own."""
    stack = Stack(tmp_path / "data", QRUMB_ACCESS="keys")
    stack.data_dir.mkdir()
    (stack.data_dir / "sites.toml").write_text("[shop]\norigin = 'x'\n[blog]\norigins = ['y']\n")
    done = stack.command("serve")
    assert done.returncode == 78
    assert [line.partition("sites.toml: ")[2].partition(":")[0] for line in done.stderr.splitlines()] == [
        "shop.origin",
        "blog.origins.0",
    ]
