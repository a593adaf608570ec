"""The Node client against a real node: its own tests, the shared cases, and the rows that they leave."""

import platform
import re
import subprocess
from pathlib import Path

import pytest

from tests.integration.clients.conftest import OF_README, Keyed, write_down
from tests.support.client_front import Front
from tests.support.javascript import built_package, npm, run_node, run_suite
from tests.support.patience import patient
from tests.support.planned import generated

SUITE_SECONDS = 240

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def package() -> Path:
    """clients/typescript with its tests compiled."""
    package = built_package("typescript")
    done = run_node(package, "node_modules/typescript/bin/tsc", "-p", "tsconfig.test.json", seconds=120)
    assert done.returncode == 0, done.stdout
    return package


@pytest.fixture(scope="module")
def suite(package: Path, keyed: Keyed) -> subprocess.CompletedProcess[str]:
    """One run of the client's tests, with the node at hand; its cases are written down."""
    files = sorted(str(path.relative_to(package)) for path in package.glob("build/test/*.test.js"))
    done, outcomes = run_suite(
        package,
        package / "build" / "report.xml",
        files,
        seconds=SUITE_SECONDS,
        QRUMB_GRPC=f"http://{keyed.stack.grpc_target}",
        **keyed.environment(),
    )
    for (file, case), outcome in outcomes.items():
        write_down("TypeScript", file, case, outcome)
    return done


@pytest.mark.timeout(SUITE_SECONDS + 120)
def test_the_clients_tests_pass(suite: subprocess.CompletedProcess[str]) -> None:
    """Those of its own, and every shared case that it does not leave out by name."""
    assert suite.returncode == 0, suite.stdout[-6000:]
    assert re.search(r"^ℹ fail 0$", suite.stdout, re.MULTILINE)


@pytest.mark.timeout(SUITE_SECONDS + 120)
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_thousand_events_are_a_thousand_rows(
    suite: subprocess.CompletedProcess[str], keyed: Keyed, compression: str
) -> None:
    """What the client was told is stored, once each and to the cent."""
    where = f"scan_session_id = 'thousand-{compression}'"
    keyed.stack.wait_for_rows(1000, where)
    [row] = keyed.stack.query(
        "SELECT toUInt32(uniqExact(event_id)) AS ids, toString(sum(conversion_value)) AS total, "
        f"toUInt32(sum(is_duplicate)) AS duplicates FROM events.valid_events WHERE {where}"
    )
    assert row["ids"] == 1000
    assert row["duplicates"] == 0
    assert float(row["total"]) == 5005.0


@pytest.mark.timeout(SUITE_SECONDS + 120)
def test_the_example_of_the_readme_works(package: Path, keyed: Keyed) -> None:
    """Copied as it stands."""
    readme = (package / "README.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```js\n(.*?)```", readme, re.DOTALL)
    assert len(example.strip().splitlines()) <= 14
    # Beside node_modules/, so that the package finds itself by its own name.
    script = package / "build" / "readme-example.mjs"
    script.write_text(example, encoding="utf-8")
    where = {"QRUMB_URL": f"http://{keyed.stack.grpc_target}", **keyed.environment()}
    keyed.stack.wait_for_empty_spool()  # of what another client sent
    before = keyed.stack.count(OF_README)
    done = run_node(package, str(script), seconds=60, **where)
    assert done.returncode == 0, done.stderr
    keyed.stack.wait_for_rows(before + 1, OF_README)


USE = """
import { addToCart, newsletterOpened } from "./plan.js";
const facts = { scanSessionId: "s" };
const own = { sku: "A1", amount: 4.5, "in stock": true, "ship to": { zip: "1010" } };
console.log(addToCart({ ...own, size: "m" }, facts).eventName);
console.log(newsletterOpened({}, facts).eventName);
// @ts-expect-error not a size
addToCart({ sku: "A1", amount: 4.5, "in stock": true, size: "xl" }, facts);
// @ts-expect-error sku is missing
addToCart({ amount: 4.5, "in stock": true }, facts);
"""


@pytest.mark.timeout(SUITE_SECONDS)
def test_what_is_made_of_plans_compiles(package: Path) -> None:
    """And refuses what does not fit; an expected error that is none is one itself."""
    folder = package / "build" / "plan"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plan.ts").write_text(generated("ts"))
    (folder / "use.ts").write_text(USE)
    options = (
        "--strict",
        "--exactOptionalPropertyTypes",
        "--module",
        "nodenext",
        "--target",
        "es2022",
        "--skipLibCheck",
    )
    types = ("--types", "node")
    tsc = ("node_modules/typescript/bin/tsc", *options, *types, "--ignoreConfig", "build/plan/use.ts")
    done = run_node(package, *tsc, seconds=120)
    assert done.returncode == 0, done.stdout
    ran = run_node(package, "build/plan/use.js", seconds=60)
    assert ran.stdout.splitlines() == ["add_to_cart", "newsletter/opened"], ran.stderr


# Package, path in it, and how it runs a script: others than Node that the README says are served.
RUNTIMES = {
    "Deno": ("@deno/linux-x64-glibc", "deno", ("run", "--allow-all", "--node-modules-dir=manual")),
    "Bun": ("@oven/bun-linux-x64-baseline", "bin/bun", ()),
}
SCRIPT = """
import { Client, serverEvent } from "@qrumb/client";
const [address, siteId] = process.argv.slice(2);
const client = new Client({ address, key: "site-key", compression: "gzip" });
for (let number = 0; number < 1200; number++) {
  const input = { siteId, eventName: `e${number}`, scanSessionId: "s", email: "Ada@Example.com" };
  await client.send(serverEvent({ ...input, properties: { note: "x".repeat(100) } }));
}
await client.close();
console.log(client.counters.accepted);
"""


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_another_runtime_delivers(runtime: str, package: Path, front: Front, tmp_path: Path) -> None:
    """And says at the end where nothing listens."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("its package is of Linux on x86-64")
    name, path, arguments = RUNTIMES[runtime]
    (tmp_path / "package.json").write_text("{}")
    done = npm(tmp_path, "install", "--ignore-scripts", "--no-audit", "--no-fund", name)
    if done.returncode != 0:
        pytest.skip(f"npm cannot install {name}: {done.stderr[-300:]}")
    program = tmp_path / "node_modules" / name / path
    program.chmod(0o755)
    script = package / "build" / f"{runtime}.mjs"
    script.write_text(SCRIPT, encoding="utf-8")

    def run(address: str) -> subprocess.CompletedProcess[str]:
        command = [str(program), *arguments, str(script), address, runtime]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=patient(60), cwd=package)

    done = run(front.grpc_url)
    assert (done.returncode, done.stdout) == (0, "1200\n"), done.stderr
    calls = front.calls(runtime)
    assert sum(len(call["events"]) for call in calls) == 1200
    assert {call["authorization"] for call in calls} == {"Bearer site-key"}
    done = run("127.0.0.1:1")
    assert done.returncode == 1
    assert "1200 events not delivered to 127.0.0.1:1: " in done.stderr
