"""The Dockerfiles and the compose file, by hadolint and Docker Compose, and what the images install."""

import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.contract.test_constraints import CONSTRAINTS, brought_by
from tests.support.deployment import DEPLOY, settings_from, tool
from tests.support.ports import claimed_port
from tests.support.stack import wait_until

DOCKERFILES = sorted((DEPLOY / "docker").glob("*.Dockerfile"))
LISTS = sorted((DEPLOY / "docker").glob("*-packages.txt"))


def pins(path: Path) -> dict[str, str]:
    """Versions by package."""
    lines = re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\n]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {str(canonicalize_name(name)): version for name, version in lines}


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_hadolint_finds_nothing_wrong(path: Path) -> None:
    """Down to its style."""
    done = tool("hadolint", "--failure-threshold", "style", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_the_last_stage_has_no_compiler_and_no_root(path: Path) -> None:
    """What it takes over was made in another stage."""
    last = path.read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    assert "USER 10001:10001" in last
    assert "HEALTHCHECK" in last
    assert not re.search(r"apt-get|pip |cargo|gcc", last)


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_images_install_the_pinned_versions_by_hash(path: Path) -> None:
    """`make image-packages` was run after constraints.txt changed."""
    text = path.read_text(encoding="utf-8")
    pinned = pins(CONSTRAINTS)
    assert pins(path)
    assert {name: pinned.get(name) for name in pins(path)} == pins(path)
    assert text.count(" \\\n    --hash=sha256:") >= len(pins(path))


def test_the_service_has_every_package_that_it_needs() -> None:
    """As this environment found them, all the way down."""
    needed = set(brought_by("qrumb-server", frozenset({"lz4", "traces"}), {})) - {"qrumb"}
    assert needed <= set(pins(DEPLOY / "docker" / "service-packages.txt"))


def test_the_gateway_needs_no_others_than_its_image_has(tmp_path: Path) -> None:
    """Asked of a real run: which packages it imported."""
    script = (
        "import sys, json\n"
        "sys.argv = ['qrumb', 'gateway-config', sys.argv[1]]\n"
        "from qrumb_server.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "envoy")],
        capture_output=True,
        text=True,
        check=False,
        env={"QRUMB_GATEWAY__UPSTREAM": '["node-1:9090"]', "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    command, modules = done.stdout.splitlines()[-2:]
    assert "exec" in command
    # Namespaces that several packages fill: setuptools' shim is in every environment of tests.
    shared = {"google", "grpc_tools", "_distutils_hack"}
    owners = packages_distributions()
    imported = {
        str(canonicalize_name(owners[name][0])) for name in json.loads(modules) if name in owners and name not in shared
    }
    assert imported - {"qrumb", "qrumb-server", "attrs"} <= set(pins(DEPLOY / "docker" / "gateway-packages.txt"))


def compose() -> dict[str, object]:
    """The compose file as Docker Compose understands it."""
    done = tool("docker-compose", "-f", str(DEPLOY / "compose" / "compose.yaml"), "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_compose_reads_its_file_and_a_node_its_settings(tmp_path: Path) -> None:
    """Without a warning; each variable of the node is a setting."""
    found = compose()
    services = found["services"]
    assert isinstance(services, dict)
    assert set(services) == {"qrumb", "clickhouse", "prometheus", "grafana"}
    node = services["qrumb"]
    assert node["read_only"]
    assert node["cap_drop"] == ["ALL"]
    assert node["stop_grace_period"] == "1m15s"
    (tmp_path / "password").write_text("secret", encoding="utf-8")
    environment = {**node["environment"], "CLICKHOUSE_PASSWORD_FILE": str(tmp_path / "password")}
    shown = settings_from({**environment, "DATA_DIR": str(tmp_path)})
    assert shown["gateway"]["trusted_hops"] == 0


def test_mounted_files_are_there() -> None:
    """A folder that is not would be made by Docker, empty."""
    services = compose()["services"]
    assert isinstance(services, dict)
    sources = [
        Path(volume["source"])
        for service in services.values()
        for volume in service.get("volumes", [])
        if volume["type"] == "bind"
    ]
    assert len(sources) == 3
    assert [str(source) for source in sources if not source.is_dir()] == []


@pytest.mark.envoy
def test_the_gateways_script_serves_checks_and_renews(tmp_path: Path) -> None:
    """As its image runs it, with a node that is away."""
    script = str(DEPLOY / "docker" / "gateway.sh")
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "RUNTIME_DIRECTORY": str(tmp_path),
        "HTTP_PORT": str(claimed_port()),
        "QRUMB_GATEWAY__UPSTREAM": '["127.0.0.1:1"]',
    }

    def run(command: str) -> int:
        done = subprocess.run([script, command], env=environment, cwd=tmp_path, capture_output=True, check=False)
        return done.returncode

    assert run("check") != 0
    with subprocess.Popen([script, "serve"], env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL) as gateway:
        try:
            wait_until(lambda: run("check") == 0, 30)
            assert run("renew") == 0
        finally:
            gateway.terminate()
    assert run("check") != 0
    assert run("typo") == 64
