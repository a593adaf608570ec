"""What tools/release.py builds, installed into an empty project of each language outside this repository.

The first event of each README is sent where all is right, with a wrong key, to another service's port, to a node that
is killed under the call, and where no node is. What the program prints is compared with tests/golden/published; what
differs from run to run has names there. WRITE_GOLDEN=1 writes these files anew. `make release` runs this on dist/.
"""

import os
import re
import socketserver
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import psutil
import pytest

from tests.support.empty_projects import PROJECTS, Project
from tests.support.javascript import run_node
from tests.support.patience import patient
from tests.support.stack import Stack, frozen, running_stack, wait_until

ROOT = Path(__file__).resolve().parent.parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import maven  # noqa: E402
from release import CONSOLE, VERSION, build  # noqa: E402

GOLDEN = ROOT / "tests" / "golden" / "published"
BUILD_SECONDS = 900
# A client gives up 30 s after close was called, unless it is told otherwise.
RUN_SECONDS = 60
pytestmark = [pytest.mark.long, pytest.mark.stack, pytest.mark.timeout(BUILD_SECONDS)]
SITUATIONS = ("right", "wrong key", "wrong port", "no node", "node killed")
NO_NODE = "127.0.0.1:1"
Said = dict[tuple[str, str], str]
Process = subprocess.Popen[str]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What RELEASE says is built already, or what is built now."""
    if reason := maven.unready():
        pytest.skip(reason)
    if built := os.environ.get("RELEASE"):
        return Path(built)
    target = tmp_path_factory.mktemp("release") / "dist"
    build(target)
    return target


@pytest.fixture(scope="module")
def projects(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Project]:
    """One of each language."""
    return {language: make(tmp_path_factory.mktemp(language), dist) for language, make in PROJECTS.items()}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Its site is `demo`, as in the READMEs."""
    with running_stack(tmp_path_factory.mktemp("node") / "data", QRUMB_ACCESS="keys", QRUMB_WORKERS="1") as started:
        yield started


class OtherService(BaseHTTPRequestHandler):
    """Speaks HTTP/1.1, as most of what listens on a port of a machine does."""

    def log_message(self, *_words: object) -> None:
        """Quietly."""


@pytest.fixture(scope="module")
def other_service() -> Iterator[str]:
    """Its address."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), OtherService) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def said(projects: dict[str, Project], node: Stack, other_service: str) -> Said:
    """What each program printed and its exit code, by language and case; the clients are waiting at the same time."""
    key = (node.data_dir / "demo.key").read_text().strip()
    found: Said = {}

    def start(target: str, key: str) -> dict[str, Process]:
        return {
            language: project.start(QRUMB_URL=f"grpc://{target}", QRUMB_KEY=key)
            for language, project in projects.items()
        }

    def finish(case: str, target: str, started: dict[str, Process]) -> None:
        for language, process in started.items():
            text = process.communicate(timeout=patient(RUN_SECONDS))[0]
            text = plain(text, target, projects[language])
            if case == "node killed":
                text = at_any_time(text)
            found[language, case] = f"{text}exit code {process.returncode}\n"

    for case, own_key in (("right", key), ("wrong key", "qk_aaaaaaaaaaaa_wrong")):
        finish(case, node.grpc_target, start(node.grpc_target, own_key))
    with frozen(node, "worker-0"):
        killed = start(node.grpc_target, key)
        node.kill_all(when=lambda: wait_until(lambda: are_connected(killed, node), 30))
    nowhere = {"wrong port": other_service, "no node": NO_NODE}
    waiting = {case: start(target, key) for case, target in nowhere.items()}
    for case, started in waiting.items():
        finish(case, nowhere[case], started)
    finish("node killed", node.grpc_target, killed)
    return found


def are_connected(programs: dict[str, Process], node: Stack) -> bool:
    """Whether each has a connection to the node's worker, which does not have to answer."""
    there = (psutil.CONN_ESTABLISHED, int(node.grpc_target.rpartition(":")[2]))
    pids = {one.pid for one in psutil.net_connections("tcp") if (one.status, *one.raddr[1:]) == there}
    return {program.pid for program in programs.values()} <= pids


def at_any_time(text: str) -> str:
    """Of a node that is killed: what is said meanwhile, and the last cause, depend on when that was."""
    text = re.sub(r"^(TIME .* tellTried\n)?.*(has not answered|no answer).*\n", "", text, flags=re.MULTILINE)
    return re.sub(r"(not delivered to grpc://NODE: |Caused by: |\[cause\]: ).*", r"\1CAUSE", text)


def plain(text: str, target: str, project: Project) -> str:
    """Without places in a program, and with names for what differs from run to run."""
    lines = [line for line in text.splitlines() if not re.match(r"\s+(at |File |\^|~)|\s*$|    |Node\.js v", line)]
    text = "\n".join(lines) + "\n"
    for pattern, name in (
        (re.escape(str(project.folder)), "PROJECT"),
        (re.escape(target), "NODE"),
        (r"^  (seconds: )\d+\n(  nanos: \d+\n)?", r"  \1N\n"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "EVENT"),
        (r"^(\w{3} \d+, \d{4} [\d:]+ [AP]M|[\d/]{10} [\d:]{8})", "TIME"),
        (r"\b\d+(\.\d+)?( ?m?s)\b", r"N\2"),
        (r"(\.js):\d+$", r"\1"),
    ):
        text = re.sub(pattern, name, text, flags=re.MULTILINE)
    return text


@pytest.mark.parametrize("language", PROJECTS)
def test_what_a_first_program_prints(said: Said, language: str) -> None:
    """Never nothing, and never a success where an event was lost."""
    text = "\n".join(f"# {case}\n{said[language, case]}" for case in SITUATIONS)
    golden = GOLDEN / f"{language}.txt"
    if os.environ.get("WRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", PROJECTS)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_loss_is_told(said: Said, language: str, situation: str) -> None:
    """How many events, where to and why, and an exit code that a script sees."""
    text = said[language, situation]
    lost = re.search(r"1 event not delivered to grpc://NODE: \S+", text)
    assert ("exit code 0\n" in text, bool(lost)) == ((True, False) if situation == "right" else (False, True)), text


def test_the_packages_have_what_they_need(dist: Path) -> None:
    """Licence, page and types; sources and javadoc; a console in the server."""
    [wheel] = (dist / "python").glob("qrumb-*.whl")
    [sdist] = (dist / "python").glob("qrumb-*.tar.gz")
    [server] = (dist / "python").glob("qrumb_server-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"qrumb/py.typed", f"qrumb-{VERSION}.dist-info/licenses/LICENSE"} <= names
    assert f"qrumb-{VERSION}/CHANGELOG.md" in packed(sdist)
    shown = zipfile.ZipFile(wheel).read(f"qrumb-{VERSION}.dist-info/METADATA").decode()
    assert re.findall(r"\]\((?!https?://)[^)]*\)", shown) == [], "a registry shows the page alone"
    served = set(zipfile.ZipFile(server).namelist())
    assert f"{CONSOLE.removeprefix('server/')}/index.html" in served
    assert {"qrumb_server/gateway/qrumb.binpb", "qrumb_server/__main__.py"} <= served
    for name, module in (("client", "dist/index.js"), ("browser", "dist/qrumb.js")):
        files = packed(dist / "npm" / f"qrumb-{name}-{VERSION}.tgz")
        assert {f"package/{file}" for file in ("LICENSE", "README.md", "CHANGELOG.md", module)} <= files
        assert not [file for file in files if "node_modules" in file or "/test/" in file]
    jars = dist / "maven" / "dev" / "qrumb" / "qrumb-client" / VERSION
    for ending, member in (
        (".jar", "dev/qrumb/Client.class"),
        ("-sources.jar", "dev/qrumb/Client.java"),
        ("-javadoc.jar", "dev.qrumb/dev/qrumb/Client.html"),
    ):
        assert member in zipfile.ZipFile(jars / f"qrumb-client-{VERSION}{ending}").namelist()


def packed(archive: Path) -> set[str]:
    """The names in a tar."""
    with tarfile.open(archive) as opened:
        return set(opened.getnames())


def test_the_tag_is_found_by_its_name(projects: dict[str, Project]) -> None:
    """As a bundler looks for it, and as a page that copies the file does."""
    script = "for (const name of ['', '/qrumb.js', '/qrumb-stub.js']) import.meta.resolve('@qrumb/browser' + name)"
    done = run_node(projects["node"].folder, "--input-type=module", "-e", script, seconds=30)
    assert done.returncode == 0, done.stderr


def test_the_server_starts_from_its_wheel(dist: Path, tmp_path: Path) -> None:
    """With the dependencies of this environment."""
    [wheel] = (dist / "python").glob("qrumb_server-*.whl")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(tmp_path)]
    subprocess.run([*pip, str(wheel)], check=True)
    script = "import qrumb_server as own, qrumb_server.__main__ as program; print(own.__file__); program.main()"
    command = [sys.executable, "-c", script, "--help"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(tmp_path))
    assert "serve" in done.stdout
