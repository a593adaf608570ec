"""What the README and a first start say, done as it stands: a fresh node, its site `demo`, its key."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.patience import patient
from tests.support.stack import Stack, running_stack

pytestmark = pytest.mark.stack

README = Path(__file__).resolve().parent.parent.parent.parent / "README.md"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A node as `make run` starts it, but for the ports."""
    with running_stack(tmp_path_factory.mktemp("fresh") / "data", QRUMB_ACCESS="keys") as running:
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


def code_blocks(language: str) -> list[str]:
    """The README's examples in one language."""
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


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
    line = next(block for block in code_blocks("sh") if block.startswith("export QRUMB_KEY="))
    assert run(fresh, "bash", "-c", f"unset QRUMB_KEY; {line.strip()}; echo $QRUMB_KEY").strip() == key_of(fresh)


def test_readme_python_example_runs(fresh: Stack) -> None:
    """As it stands: address and key come from the environment."""
    [example] = code_blocks("python")
    assert "outcome: ACCEPTED" in run(fresh, sys.executable, "-c", example)
    fresh.wait_for_rows(1, "conversion_value = 49.9")


def test_readme_curl_examples_run(fresh: Stack) -> None:
    """Every curl line as it stands, but for the port."""
    lines = [block for block in code_blocks("sh") if block.startswith("curl ")]
    assert len(lines) == 3
    answers = []
    for line in lines:
        assert "http://127.0.0.1:8080" in line
        command = line.replace("http://127.0.0.1:8080", fresh.url).removeprefix("curl")
        answers.append(json.loads(run(fresh, "bash", "-c", f"curl --silent {command}")))
    assert answers[0]["receipt"]["outcome"] == "ACCEPTED"
    assert answers[1]["scan_session"]["qr_code_id"] == "poster-7"
    assert [warning["code"] for warning in answers[2]["receipt"]["warnings"]] == ["EMAIL_REDACTED"]
    fresh.wait_for_rows(1, 'metadata = \'{"campaign":"autumn"}\'')


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
