"""The Java client keeps what clients/cases promises of every client, against the same front and a real node."""

import re
import shutil
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.integration.clients.conftest import OF_README, Keyed, WrittenDown
from tests.support.client_front import Front, load_cases
from tests.support.planned import generated

ROOT = Path(__file__).resolve().parent.parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from maven import FETCHED, FORMATTER, JAVA_CLIENT, mvn, unready  # noqa: E402

VECTORS = ("hashes", "addresses", "event_ids", "events", "refusals", "statuses", "backoff", "redirect", "carry")
FILES = (*VECTORS, "delivery", "scans", "node")
REPORTS = JAVA_CLIENT / "target/surefire-reports"
BUILD_SECONDS = 300
pytestmark = pytest.mark.timeout(BUILD_SECONDS)


@pytest.fixture(autouse=True, scope="module")
def java() -> None:
    """Maven, a JDK, and what the set-up fetched with them."""
    if reason := unready():
        pytest.skip(reason)


def case_results() -> dict[tuple[str, str], str]:
    """Outcome by file and case, out of Surefire's reports: a test is named `delivery(Case) batch-by-count`."""
    found = {}
    for report in REPORTS.glob("TEST-*.xml"):
        for test in ElementTree.parse(report).iter("testcase"):
            method, _, case = test.attrib["name"].partition("(Case) ")
            file = method.removesuffix("Alone")
            if file in FILES and case:
                parts = {part.tag for part in test}
                failed = parts & {"failure", "error"}
                found[file, case] = "failed" if failed else "skipped" if "skipped" in parts else "passed"
    return found


def test_java_code_is_formatted() -> None:
    """google-java-format would change nothing."""
    own = [str(path) for path in JAVA_CLIENT.glob("src/**/*.java")]
    command = ["java", "-jar", str(FORMATTER), "--dry-run", *own]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""


def test_the_example_of_the_readme_is_the_one_that_runs() -> None:
    """Line by line, in the Example that NodeTest runs."""
    readme = (JAVA_CLIENT / "README.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"```java\n(.*?)```", readme, re.DOTALL)
    tested = (JAVA_CLIENT / "src/test/java/dev/qrumb/Example.java").read_text(encoding="utf-8")
    assert textwrap.indent(shown, " " * 4).rstrip() in tested


def test_the_example_of_the_redirect_is_the_one_that_runs() -> None:
    """Line by line, in the servlet that CarryTest runs."""
    page = (ROOT / "docs" / "redirect.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"```java\n(.*?)```", page, re.DOTALL)
    tested = (JAVA_CLIENT / "src/test/java/dev/qrumb/ScanServlet.java").read_text(encoding="utf-8")
    assert textwrap.indent(shown, " " * 2).rstrip() in tested


@pytest.mark.stack
@pytest.mark.long
def test_the_node_for_tests_starts() -> None:
    """MicroNode, in an environment that has no settings of a node."""
    done = mvn("-o", "test", "-Dtest=MicroNodeTest", QRUMB_COMMAND=str(Path(sysconfig.get_path("scripts")) / "qrumb"))
    assert done.returncode == 0, done.stdout[-4000:]
    assert "Tests run: 3, Failures: 0, Errors: 0, Skipped: 0" in done.stdout


def test_javadoc_is_complete() -> None:
    """Nothing public lacks its comment, and no link leads nowhere."""
    done = mvn("-o", "javadoc:javadoc")
    assert done.returncode == 0, done.stdout[-4000:]


JAVA_USE = """
class Use {
  public static void main(String[] arguments) {
    var cart = new Shop1Events.AddToCart("A1", 4.5, 2L, "m", null, null, null, null, null, null, true);
    System.out.println(cart.serverEvent().scanSessionId("s").build().id().length() + " " + cart.own().size());
    System.out.println(new Shop1Events.NewsletterOpened().browserEvent().build().id().length());
    try {
      new Shop1Events.AddToCart(null, 4.5, null, null, null, null, null, null, null, null, true);
    } catch (NullPointerException missing) {
      System.out.println(missing.getMessage());
    }
  }
}
"""


def test_what_is_made_of_plans_compiles(tmp_path: Path) -> None:
    """Without a warning; a required member that is null is refused."""
    compiled = mvn("-o", "-q", "compile")
    assert compiled.returncode == 0, compiled.stdout[-4000:]
    (tmp_path / "Shop1Events.java").write_text(generated("java"))
    (tmp_path / "Use.java").write_text(JAVA_USE)
    version = re.search(r"<protobuf.version>([^<]+)<", (JAVA_CLIENT / "pom.xml").read_text(encoding="utf-8"))
    assert version is not None
    jars = FETCHED.glob(f"repository/com/google/protobuf/protobuf-java/{version[1]}/*.jar")
    path = ":".join(map(str, (JAVA_CLIENT / "target" / "classes", tmp_path, *jars)))
    javac = ["javac", "-Xlint:all", "-Werror", "-proc:none", "-cp", path, "-d", str(tmp_path)]
    sources = [str(tmp_path / "Shop1Events.java"), str(tmp_path / "Use.java")]
    done = subprocess.run([*javac, *sources], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ran = subprocess.run(["java", "-cp", path, "Use"], capture_output=True, text=True, check=False)
    assert ran.stdout.splitlines() == ["36 5", "36", "sku"], ran.stderr


@pytest.mark.stack
def test_java_client_passes_every_case(front: Front, keyed: Keyed, write_down: WrittenDown) -> None:
    """Each case of each file is run, passes, or is left out for a reason of the language; warnings are errors."""
    shutil.rmtree(REPORTS, ignore_errors=True)
    keyed.stack.wait_for_empty_spool()  # of what another client sent
    before = keyed.stack.count(OF_README)
    done = mvn(
        "-o",
        "test",
        QRUMB_FRONT=f"front: {front.grpc_url} {front.http_url} control {front.control_url}",
        QRUMB_NODE=f"grpc://{keyed.stack.grpc_target}",
        QRUMB_URL=f"grpc://{keyed.stack.grpc_target}",
        **keyed.environment(),
    )
    results = case_results()
    for (file, case), outcome in results.items():
        write_down("Java", file, case, outcome)
    assert done.returncode == 0, done.stdout[-6000:]
    assert set(results) == {(file, case["name"]) for file in FILES for case in load_cases(file)}
    keyed.stack.wait_for_rows(before + 1, OF_README)
    skipped = {case for (_file, case), outcome in results.items() if outcome == "skipped"}
    assert skipped == {
        "event-time-without-zone",
        "too-many-requests",
        "bad-gateway",
        "request-timeout",
        "body-too-large",
    }
