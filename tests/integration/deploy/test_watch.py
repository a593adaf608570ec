"""Dashboard and alerts: answered by a real Prometheus that scrapes a real node, and the tests of promtool."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from tests.support.deployment import DEPLOY, ROOT
from tests.support.patience import patient
from tests.support.plain_http import NO_TLS
from tests.support.ports import claimed_port
from tests.support.stack import Stack, running_stack, wait_until
from tests.support.tied import TIED
from tools.dashboards import NODE, dashboard

RULES = DEPLOY / "prometheus" / "alerts.yml"
RULE_TESTS = DEPLOY / "prometheus" / "alerts_test.yml"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "qrumb-node.json"
NAME = re.compile(r"\b(?:qrumb|rpc|envoy)_[a-z_]+")
needs_prometheus = pytest.mark.skipif(
    not (shutil.which("promtool") and shutil.which("prometheus")), reason="Prometheus is missing (Debian: prometheus)"
)


def alerts() -> list[dict[str, Any]]:
    """All alert rules."""
    document = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def queries() -> dict[str, str]:
    """Each query of the dashboard, by its panel and letter."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return {
        f"{panel['title']} {target['refId']}": target["expr"] for panel in panels for target in panel.get("targets", ())
    }


@needs_prometheus
def test_promtool_runs_the_tests_of_the_alerts() -> None:
    """And finds nothing wrong with rules and configuration."""
    for arguments in (
        ("check", "config", str(DEPLOY / "prometheus" / "prometheus.yml")),
        ("test", "rules", str(RULE_TESTS)),
    ):
        done = subprocess.run(
            ["promtool", *arguments], capture_output=True, text=True, check=False, timeout=patient(60)
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_test_and_a_section_of_the_runbook() -> None:
    """Under its own name."""
    cases = RULE_TESTS.read_text(encoding="utf-8")
    tested = set(re.findall(r"alertname: (\w+)\n    exp_alerts:\n    - ", cases))
    names = {rule["alert"] for rule in alerts()}
    assert tested == names
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^## (\w+)$", runbook, re.MULTILINE)) == names
    assert {rule["annotations"]["runbook"] for rule in alerts()} == {
        f"docs/runbook.md#{name.lower()}" for name in names
    }


def test_the_dashboard_is_what_its_program_makes() -> None:
    """`make generate` was run after a change."""
    assert json.loads(DASHBOARD.read_text(encoding="utf-8")) == dashboard(NODE)


def test_what_is_asked_for_is_documented() -> None:
    """Each name in dashboard and alerts is in docs/metrics.md."""
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    asked = {
        name for text in (*queries().values(), *(rule["expr"] for rule in alerts())) for name in NAME.findall(text)
    }
    assert len(asked) > 20
    bare = {re.sub(r"_(bucket|count)$", "", name) for name in asked}
    assert sorted(name for name in bare if name not in page) == []


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, str]]:
    """A node with all that a dashboard shows, and the address of the Prometheus that scrapes it."""
    folder = tmp_path_factory.mktemp("watched")
    metrics, port = claimed_port(), claimed_port()
    scrape = {"job_name": "qrumb", "static_configs": [{"targets": [f"127.0.0.1:{metrics}"]}]}
    config = {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "scrape_configs": [scrape]}
    config["rule_files"] = [str(RULES)]
    (folder / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")
    command = [
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/tsdb",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (
        running_stack(folder / "data", METRICS_PORT=str(metrics), QRUMB_ACCESS="keys", QRUMB_WORKERS="1") as stack,
        (folder / "log").open("wb") as log,
        subprocess.Popen([*TIED, *command], stdout=log, stderr=log, cwd=folder) as prometheus,
    ):
        try:
            yield stack, f"http://127.0.0.1:{port}"
        finally:
            prometheus.terminate()


@needs_prometheus
@pytest.mark.stack
def test_every_panel_has_something_to_show(watched: tuple[Stack, str]) -> None:
    """And each alert's query can be answered, with none firing on a node that is well."""
    stack, prometheus = watched
    good = {"site_id": "demo", "event_type": "pageview", "page_url": "https://shop.example/"}
    asked = {
        name: expr.replace("$instance", ".*").replace("$__rate_interval", "1m") for name, expr in queries().items()
    }
    assert len(asked) > 25

    def all_shown() -> bool:
        with stack.http() as client:
            for changed in ({}, {"event_type": ""}, {"page_titel": "Shop"}, {"site_id": "unknown"}):
                client.post("/collect", json={**good, **changed})
        empty[:] = [name for name, expr in asked.items() if not answers(prometheus, expr)]
        return not empty

    empty: list[str] = []
    try:
        wait_until(all_shown, 60, interval=1)
    except AssertionError:
        pytest.fail(f"nothing to show: {empty}")
    firing = httpx.get(f"{prometheus}/api/v1/alerts", timeout=patient(20), verify=NO_TLS).json()["data"]["alerts"]
    assert [alert for alert in firing if alert["state"] == "firing"] == []
    health = httpx.get(f"{prometheus}/api/v1/rules", timeout=patient(20), verify=NO_TLS).json()["data"]["groups"]
    assert {rule["health"] for group in health for rule in group["rules"]} == {"ok"}


def answers(prometheus: str, expr: str) -> list[Any]:
    """The series of a query; none while Prometheus starts."""
    try:
        found = httpx.get(f"{prometheus}/api/v1/query", params={"query": expr}, timeout=patient(20), verify=NO_TLS)
    except httpx.TransportError:
        return []
    if found.status_code == 503:
        return []
    assert found.status_code == 200, found.text
    series: list[Any] = found.json()["data"]["result"]
    return [one for one in series if one["value"][1] != "NaN"]
