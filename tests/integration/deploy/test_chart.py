"""The Helm chart: linted and rendered by Helm, its objects judged by Kubernetes' own schemas."""

from pathlib import Path
from typing import Any

import pytest
from helm_python.chart import Chart, lint
from helm_python.errors import HelmError

from tests.support.deployment import CHART, objects, rendered, settings_from, tool

SMALL: dict[str, Any] = {}
LARGE: dict[str, Any] = {
    "replicas": 3,
    "clickhouse": {
        "url": "clickhouses://qrumb@ch-1:9440,ch-2:9440",
        "passwordSecret": {"name": "clickhouse"},
        "cluster": "main",
    },
    "sites": {"secret": "sites"},
    "gateway": {"tlsSecret": "tls", "trustedHops": 0},
    "directGrpc": True,
    "traces": {"endpoint": "http://[fd00::7]:4317", "sampleRatio": 1},
    "env": {"QRUMB_SPOOL__MAX_BYTES": "34359738368"},
    "image": {"digest": f"sha256:{'0' * 64}", "pullSecrets": [{"name": "pull"}]},
    "podLabels": {"team": "shops"},
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
    "networkPolicy": {"gatewayFrom": [{"podSelector": {}}], "egressTo": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]},
}
VALUES = pytest.mark.parametrize("values", [SMALL, LARGE], ids=["small", "large"])


def pod_of(values: dict[str, Any]) -> dict[str, Any]:
    """The pod that the chart makes."""
    [found] = objects([rendered(values)["statefulset.yaml"]])
    pod: dict[str, Any] = found["spec"]["template"]["spec"]
    return pod


@VALUES
def test_helm_finds_nothing_wrong(values: dict[str, Any]) -> None:
    """Beyond a picture that it would like."""
    report = lint(CHART, values, strict=True)
    assert report["errors"] == []
    assert [said["error"] for said in report["messages"] if said["error"] != "icon is recommended"] == []


@VALUES
def test_kubernetes_knows_every_field(values: dict[str, Any], tmp_path: Path) -> None:
    """By the schemas of its version, unknown names being errors."""
    paths = []
    for name, text in rendered(values).items():
        if name.endswith(".yaml"):
            (tmp_path / name).write_text(text, encoding="utf-8")
            paths.append(str(tmp_path / name))
    assert len(paths) == 5
    done = tool("kubernetes-validate", "--strict", *paths)
    assert done.returncode == 0, done.stdout + done.stderr


@VALUES
def test_a_node_starts_with_what_its_pod_gives_it(values: dict[str, Any], tmp_path: Path) -> None:
    """Each variable is a setting; the files are those that are mounted."""
    [container] = pod_of(values)["containers"]
    environment = {item["name"]: item["value"] for item in container["env"]}
    mounts = {item["mountPath"] for item in container["volumeMounts"]}
    for name, value in environment.items():
        if value.startswith("/etc/qrumb/"):
            assert str(Path(value).parent) in mounts
            environment[name] = str(tmp_path / "there")
    (tmp_path / "there").touch()
    shown = settings_from({**environment, "DATA_DIR": str(tmp_path)})
    assert shown["gateway"]["trusted_hops"] == values.get("gateway", {"trustedHops": 1})["trustedHops"]
    if values:
        assert shown["clickhouse"]["cluster"] == "main"
        assert shown["traces"] == {"endpoint": "http://[fd00::7]:4317", "sample_ratio": 1.0}
        assert shown["spool"]["max_bytes"] == 34359738368


@VALUES
def test_pods_keep_to_the_restricted_standard(values: dict[str, Any]) -> None:
    """Kubernetes' pod security standard of that name, and a root that nothing writes to."""
    pod = pod_of(values)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    for container in pod["containers"]:
        own = container["securityContext"]
        assert own["allowPrivilegeEscalation"] is False
        assert own["readOnlyRootFilesystem"] is True
        assert own["capabilities"] == {"drop": ["ALL"]}
    allowed = {"emptyDir", "secret"}
    assert all(set(volume) - {"name"} <= allowed for volume in pod["volumes"])


def test_a_pod_is_given_the_time_that_a_stop_takes() -> None:
    """The gateway, the collectors and the loader end one after another, each within its limit."""
    pod = pod_of(SMALL)
    shown = settings_from({})
    drains = [shown["rpc"]["drain_timeout"], shown["loader"]["drain_timeout"]]
    assert drains == ["PT10S", "PT20S"]  # with 10 s of the gateway, and 5 s of slack for each of the two
    delay = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] >= delay + 10 + 10 + 5 + 20 + 5


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"replicas": 2}, "needs clickhouse.url"),
        ({"replicas": 2, "clickhouse": {"url": "clickhouse://ch"}}, "needs sites.secret"),
        ({"clickhouse": {"passwordSecret": {"name": "x"}}}, "set clickhouse.url too"),
        ({"drain": {"delaySeconds": 60}}, "drain.graceSeconds"),
        ({"clickhouse": {"url": "clickhouse://user:secret@ch"}}, "does not match pattern"),
        ({"replica": 2}, "additional properties 'replica' not allowed"),
        ({"env": {"lower": "x"}}, "lower"),
        ({"traces": {"endpoint": "https://otel"}}, "does not match pattern"),
    ],
    ids=["embedded", "keys", "password", "grace", "secret-in-url", "unknown", "env", "traces"],
)
def test_what_cannot_work_is_refused(values: dict[str, Any], words: str) -> None:
    """In words, before anything reaches the cluster."""
    with Chart.load(CHART) as chart, pytest.raises(HelmError, match=words):
        chart.validate_schema(values)
        chart.render(values)
