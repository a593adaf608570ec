"""qrumb beside its peers, in one run: `python -m bench.side_by_side [--part costs] [--rounds 5]`; `make bench` runs it.

What an event costs in processor time, by each way of ways.py and each call of calls.py: rounds alternate, and each
figure that counts is a ratio within one round. Then workers 1, 2 and 4, and what a row costs the loader. All goes to
bench/results.json, from which page.py makes docs/performance.md and its plots.
"""

import argparse
import json
import os
import platform
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from bench import page
from bench.calls import BATCH_EVENTS, CALLS, Call
from bench.generate import Generator, built, find_generator
from bench.ways import Way, collector, echo, fastapi, node
from qrumb_server.rpc.hotpath import is_built

__all__ = ["measure"]

ROOT: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = ROOT / "bench" / "results.json"
# Some tenths of a second of work: in forty batches, a twentieth of one, an event costs a third more than afterwards.
CALLS_PER_ROUND: Final = {1: 2_000, BATCH_EVENTS: 300}
LOADED_CALLS: Final = 400
WORKERS: Final = (1, 2, 4)


def measure(way: Way, protocol: str, call: Call, calls: int, generator: Generator) -> dict[str, float]:
    """Microseconds of processor time per event, events per second, and the generator's own microseconds."""
    before = way.seconds_used(protocol)
    sent = generator.send(way.as_sent(call), way.doors[protocol], calls)
    used = way.seconds_used(protocol) - before
    events = calls * call.events
    return {
        "cost": round(used / events * 1e6, 2),
        "rate": round(events / sent.seconds, 1),
        "generator": round(sent.processor_seconds / events * 1e6, 2),
    }


@contextmanager
def _ways(folder: Path) -> Iterator[dict[str, Way]]:
    with ExitStack() as running:
        found = {}
        if is_built():
            found["compiled"] = running.enter_context(node(folder / "compiled"))
        found["python"] = running.enter_context(node(folder / "python", QRUMB_RPC__COMPILED="false"))
        found["echo"] = running.enter_context(echo(folder / "echo"))
        found["fastapi"] = running.enter_context(fastapi(folder / "fastapi"))
        if peer := built(ROOT / "bench" / "collector_peer", folder):
            found["collector"] = running.enter_context(collector(folder / "collector", peer))
        for way in found.values():
            for call in CALLS:
                way.check(call)
        yield found


def costs(folder: Path, rounds: int, generator: Generator) -> dict[str, Any]:
    """Each figure of each round, by call, by way and protocol."""
    found: dict[str, Any] = {call.name: {} for call in CALLS}
    with _ways(folder) as ways:
        cells = [(call, name, protocol) for call in CALLS for name, way in ways.items() for protocol in way.doors]
        for number in range(rounds + 1):
            for call, name, protocol in cells[:: 1 if number % 2 else -1]:
                for way in ways.values():
                    if way.stack:  # a loader that is busy takes caches and cores of whatever is measured
                        way.stack.wait_for_empty_spool()
                # The first round warms up; a third of it is enough.
                calls = CALLS_PER_ROUND[call.events] // (1 if number else 3)
                figures = measure(ways[name], protocol, call, calls, generator)
                for figure, value in figures.items() if number else ():
                    kept = found[call.name].setdefault(f"{name} {protocol}", {})
                    kept.setdefault(figure, []).append(value)
            print(f"round {number} of {rounds}", flush=True)
    return {"costs": found}


def scaling(folder: Path, rounds: int, generator: Generator) -> dict[str, Any]:
    """Cost and rate by number of workers, one node at a time."""
    found: dict[str, Any] = {}
    browser = [call for call in CALLS if call.name.startswith("browser")]
    for workers in WORKERS:
        with node(folder / f"workers-{workers}", workers) as way:
            assert way.stack is not None
            here = found[str(workers)] = {}
            cells = [(call, protocol) for call in browser for protocol in way.doors]
            for number in range(rounds + 1):
                for call, protocol in cells:
                    figures = measure(way, protocol, call, CALLS_PER_ROUND[call.events], generator)
                    for figure, value in figures.items() if number else ():
                        here.setdefault(f"{call.name}, {protocol}", {}).setdefault(figure, []).append(value)
                way.stack.wait_for_empty_spool()
            print(f"workers: {workers}", flush=True)
    return {"scaling": found}


def loader(folder: Path, rounds: int, generator: Generator) -> dict[str, Any]:
    """Microseconds of the loader's processor time per row, engine and merges included, until all rows are stored."""
    found = []
    [batch] = [call for call in CALLS if call.name == f"browser, batch of {BATCH_EVENTS}"]
    with node(folder / "loaded") as way:
        assert way.stack is not None
        for number in range(rounds + 1):
            before = way.seconds_used("loader")
            generator.send(batch, way.doors["grpc"], LOADED_CALLS)
            way.stack.wait_for_empty_spool()
            if number:  # the first round warms up
                found.append(round((way.seconds_used("loader") - before) / (LOADED_CALLS * BATCH_EVENTS) * 1e6, 2))
    return {"loader": found}


def facts(generator: Generator) -> dict[str, Any]:
    """What a figure depends on besides the code."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    return {
        "measured": datetime.now(UTC).date().isoformat(),
        "processor": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release().split("-")[0],
        "python": platform.python_version(),
        "grpcio": version("grpcio"),
        "fastapi": version("fastapi"),
        "pydantic": version("pydantic"),
        "generator": generator.name,
        "load_before": round(os.getloadavg()[0], 1),
    }


def _in_lines(results: dict[str, Any]) -> str:
    """As JSON, the values of a figure on one line."""
    text = json.dumps(results, indent=1)
    return re.sub(r"\[\s+([^\[\]{}]+?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"


PARTS: Final = {"costs": costs, "scaling": scaling, "loader": loader}


def main() -> None:
    """All parts, or one; the figures of the others stay as they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, action="append", help="only this one")
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("BENCH_ROUNDS", "5")))
    options = parser.parse_args()
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    with tempfile.TemporaryDirectory(prefix="qrumb-") as folder:
        generator = find_generator(Path(folder))
        for part in options.part or PARTS:
            of_machine = facts(generator)
            started = time.monotonic()
            measured = PARTS[part](Path(folder), options.rounds, generator)
            of_machine |= {"rounds": options.rounds, "seconds": round(time.monotonic() - started)}
            results |= measured
            results.setdefault("machine", {})[part] = of_machine
    RESULTS.write_text(_in_lines(results), encoding="utf-8")
    if PARTS.keys() <= results["machine"].keys():
        page.write(results)


if __name__ == "__main__":
    main()
