"""Sites, keys and quotas change under a running node; no secret shows anywhere."""

import itertools
import subprocess
import time
from pathlib import Path

import httpx
import psutil
import pytest

from tests.integration.access.conftest import Keys, made
from tests.support.patience import patient
from tests.support.plain_http import NO_TLS
from tests.support.stack import Stack, wait_until

pytestmark = pytest.mark.stack

EVENT = {"scan_session_id": "s", "event_name": "lead"}


def send(client: httpx.Client, site_id: str, key: str) -> httpx.Response:
    return client.post("/server-events", json={**EVENT, "site_id": site_id}, headers={"authorization": f"Bearer {key}"})


def test_a_key_works_from_when_it_is_made_to_when_it_is_revoked(stack: Stack) -> None:
    """Rotation: the new one is there before the old one goes."""
    old = made(stack, "add", "rotating")
    with stack.http() as client:
        wait_until(lambda: [send(client, "rotating", old).status_code for _ in range(20)] == [200] * 20)
        new = made(stack, "key", "rotating")
        wait_until(lambda: [send(client, "rotating", new).status_code for _ in range(20)] == [200] * 20)
        assert send(client, "rotating", old).status_code == 200
        assert stack.command("sites", "revoke", "rotating", old).returncode == 0
        # Two workers look for themselves.
        wait_until(lambda: [send(client, "rotating", old).status_code for _ in range(20)] == [401] * 20)
        assert send(client, "rotating", new).status_code == 200
        assert stack.command("sites", "remove", "rotating").returncode == 0
        wait_until(lambda: [send(client, "rotating", new).status_code for _ in range(20)] == [401] * 20)


def test_origins_come_and_go_under_a_running_node(stack: Stack) -> None:
    """As `sites set` says them."""
    made(stack, "add", "moving")
    event = {"site_id": "moving", "event_type": "pageview"}

    def is_allowed(origin: str) -> bool:
        with stack.http() as client:
            answers = [client.post("/collect", json=event, headers={"origin": origin}).status_code for _ in range(10)]
        return set(answers) == {200}

    assert not is_allowed("https://one.example")
    done = stack.command("sites", "set", "moving", "--add-origin", "https://one.example", "--retention", "90d")
    assert done.returncode == 0, done.stderr
    assert "https://one.example" in done.stdout
    wait_until(lambda: is_allowed("https://one.example"))
    moved = ("--add-origin", "https://two.example", "--remove-origin", "https://one.example")
    assert stack.command("sites", "set", "moving", *moved).returncode == 0
    wait_until(lambda: is_allowed("https://two.example") and not is_allowed("https://one.example"))
    again = stack.command("sites", "add", "moving")
    assert (again.returncode, again.stdout) == (78, "")
    assert "`qrumb sites set moving` changes it" in again.stderr


def test_an_expired_key_is_refused(stack: Stack) -> None:
    key = made(stack, "add", "ending")
    with stack.http() as client:
        wait_until(lambda: [send(client, "ending", key).status_code for _ in range(20)] == [200] * 20)
        assert stack.command("sites", "expire", "ending", key.split("_")[1]).returncode == 0
        wait_until(lambda: [send(client, "ending", key).status_code for _ in range(20)] == [401] * 20)


def test_a_broken_edit_changes_nothing_and_is_explained(stack: Stack, keys: Keys) -> None:
    path = stack.data_dir / "sites.toml"
    good = path.read_text()
    path.write_text(good + "\n[broken\n")
    try:
        time.sleep(1.1)
        with stack.http() as client:
            assert send(client, "shop", keys.collect).status_code == 200
        wait_until(lambda: "sites_not_read" in stack.log())
        assert "not valid TOML" in stack.log()
        wait_until(lambda: stack.health()["condition"] == "DEGRADED")
        assert [reason for reason in stack.health()["reasons"] if "sites.toml, or a plan, cannot be used" in reason]
        checked = stack.command("sites", "check")
        assert checked.returncode == 78
        assert "not valid TOML" in checked.stderr
        refused = stack.command("sites", "add", "unlucky")
        assert refused.returncode == 78
    finally:
        path.write_text(good)
    wait_until(lambda: stack.health()["condition"] == "READY")
    assert stack.command("sites", "check").returncode == 0


def test_a_flood_of_one_site_is_turned_away_and_the_others_are_served(stack: Stack, keys: Keys) -> None:
    """With RetryInfo and Retry-After; after the wait it is taken again."""
    key = made(stack, "add", "flooding")
    assert stack.command("sites", "set", "flooding", "--quota", "5", "--burst", "40").returncode == 0
    assert stack.command("sites", "check").returncode == 0
    with stack.http() as client:
        wait_until(lambda: send(client, "flooding", key).status_code == 200)
        answers = (send(client, "flooding", key) for _ in itertools.count())
        # A worker that has not looked at the file yet does not know the key.
        refused = next(answer for answer in itertools.islice(answers, 2_000) if answer.status_code not in {200, 401})
        assert refused.status_code == 429
        body = refused.json()
        assert body["details"][0]["reason"] == "SITE_QUOTA"
        wait = int(refused.headers["retry-after"])
        assert body["details"][1]["retry_delay"] == f"{wait}s"
        assert 1 <= wait <= 4
        assert [send(client, "shop", keys.collect).status_code for _ in range(20)] == [200] * 20
        # What browsers may send of the same site is counted apart, and the other way round. A worker that has not
        # looked at the file yet does not know the site.
        event = {"site_id": "flooding", "event_type": "click"}
        assert wait_until(lambda: (code := client.post("/collect", json=event).status_code) != 403 and code) == 200
        time.sleep(wait)
        wait_until(lambda: send(client, "flooding", key).status_code == 200, 5)


def test_what_names_no_site_has_a_small_quota_of_its_own(stack: Stack, keys: Keys) -> None:
    """Every caller may send it and each is kept as a dead letter; the answer quotes nothing, and sites are served."""
    with stack.http() as client:
        first = client.post("/collect", json={"site_id": "no site!"})
        assert first.status_code == 400
        batches = [{"events": [{"site_id": f"no site {number} {turn}"} for turn in range(500)]} for number in range(9)]
        statuses = [client.post("/collect/batch", json=batch).status_code for batch in batches]
        assert statuses.count(429) >= 4, "two workers gave out 500 each, and what one owes is paid back first"
        refused = next(
            answer
            for answer in (client.post("/collect", json={"site_id": "no site!"}) for _ in range(20))
            if answer.status_code == 429
        )
        assert refused.json()["details"][0]["reason"] == "SITE_QUOTA"
        assert "what names no site sends more" in refused.json()["message"]
        assert [send(client, "shop", keys.collect).status_code for _ in range(20)] == [200] * 20


def test_no_secret_is_in_a_log_a_file_a_metric_or_a_command_line(stack: Stack, keys: Keys) -> None:
    """Keys were used, mistyped and refused by now; only their hashes may be found."""
    settings = httpx.get(f"{stack.url}/healthz", timeout=patient(20), verify=NO_TLS).text
    shown = stack.command("config", "show").stdout
    listed = stack.command("sites", "list").stdout
    assert keys.collect.split("_")[1] in listed
    process = stack.process
    assert process is not None
    lines = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    commands = " ".join(" ".join(each.cmdline()) for each in lines)
    stack.wait_for_empty_spool()
    for secret in (key.rpartition("_")[2] for key in keys.all()):
        for text in (stack.log(), settings, shown, listed, commands):
            assert secret not in text
        found = subprocess.run(
            ["grep", "-r", "-l", "-a", secret, str(stack.data_dir)], capture_output=True, text=True, check=False
        )
        assert found.stdout == "", [Path(line).name for line in found.stdout.splitlines()]
