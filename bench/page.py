"""Writes docs/performance.md and its plots from bench/results.json: `python -m bench.page`."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.plot import Bar, bars, curves

__all__ = ["files", "write"]

ROOT: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = ROOT / "bench" / "results.json"
TEXT: Final = ROOT / "bench" / "performance.md.in"
NAMES: Final = {
    "compiled grpc": "qrumb, gRPC",
    "compiled json": "qrumb, JSON through Envoy",
    "python grpc": "qrumb in Python alone, gRPC",
    "python json": "qrumb in Python alone, JSON through Envoy",
    "echo grpc": "bare grpc.aio echo",
    "echo json": "Envoy before the bare echo, JSON",
    "fastapi json": "FastAPI + pydantic + fdatasync, JSON",
    "collector grpc": "OpenTelemetry Collector, queue with fsync, gRPC",
}
DAY_SECONDS: Final = 86_400
BILLION: Final = 1_000_000_000
PEAK, BUSY, CORES, CORE_HOUR_USD = 3.0, 0.6, 8, 0.04
"""The busiest second to the mean one; what a core may be busy in it; of a machine; what a core is taken to cost."""
Results = Mapping[str, Any]
READS: Final[Mapping[str, float]] = {
    "counts, 400 days by day": 200,
    "funnel, 30 days": 200,
    "attribution, linear, 30 days": 200,
    "tail": 20,
    "tail, first after a start": 20,
    "receipt, conversion": 20,
    "receipt, page view": 20,
}
"""Milliseconds of processor time that an issue asks for, at ten million rows."""
TEN_MILLION, LARGEST = "10000000", "100000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A ratio of processor time per event that an issue asks for."""

    events: str
    protocol: str
    peer: str
    most: float
    most_us: float | None = None


GOALS: Final = (
    Goal(events="single", protocol="grpc", peer="echo grpc", most=1.0),
    Goal(events="batch of 100", protocol="grpc", peer="fastapi json", most=0.4, most_us=12),
    Goal(events="single", protocol="json", peer="echo json", most=1.05),
    Goal(events="batch of 100", protocol="json", peer="fastapi json", most=0.6),
)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median and range."""
    middle, low, high = (f"{value:,.{digits}f}" for value in (statistics.median(values), min(values), max(values)))
    return f"**{middle}** ({low} to {high})"


def ratios(of: Mapping[str, Any], mine: str, other: str) -> list[float]:
    """Of the costs of two ways, round by round."""
    return [one / two for one, two in zip(of[mine]["cost"], of[other]["cost"], strict=True)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _verdict(found: float, most: float) -> str:
    return "met" if found <= most else f"**missed**, {found / most:.2f} times the goal"


def _goals(results: Results) -> str:
    rows = []
    for kind in ("browser", "server"):
        for goal in GOALS:
            of = results["costs"][f"{kind}, {goal.events}"]
            mine, alone = (f"{way} {goal.protocol}" for way in ("compiled", "python"))
            name = f"{kind} events, {goal.events}, {'gRPC' if goal.protocol == 'grpc' else 'JSON through Envoy'}"
            found = ratios(of, mine, goal.peer)
            verdict = _verdict(statistics.median(found), goal.most)
            plain = f"{statistics.median(ratios(of, alone, goal.peer)):.2f}"
            rows.append([name, NAMES[goal.peer], f"{goal.most:g}", spread(found), verdict, plain])
            if goal.most_us:
                cost, most = of[mine]["cost"], goal.most_us
                verdict = _verdict(statistics.median(cost), most)
                plain = f"{statistics.median(of[alone]['cost']):.0f} µs"
                rows.append([f"{name}, per event", "", f"{most:g} µs", f"{spread(cost, 1)} µs", verdict, plain])
    return _table(["qrumb", "to", "goal", "measured", "", "Python alone"], rows)


def _figures(results: Results) -> str:
    rows = [
        [call, NAMES[way], spread(found["cost"], 1), f"{statistics.median(found['rate']):,.0f}"]
        for call, ways in results["costs"].items()
        for way, found in sorted(ways.items(), key=lambda item: list(NAMES).index(item[0]))
    ]
    return _table(["call", "way", "processor µs per event", "events/s"], rows)


def _workers(results: Results) -> str:
    rows = [
        [
            workers,
            way.replace("grpc", "gRPC").replace("json", "JSON through Envoy"),
            spread(found["cost"], 1),
            spread(found["rate"], 0),
            f"{statistics.median(found['generator']):,.1f}",
        ]
        for workers, ways in results["scaling"].items()
        for way, found in ways.items()
    ]
    return _table(["workers", "call", "processor µs per event", "events/s", "the generator's µs"], rows)


def _machines(results: Results) -> str:
    loader = statistics.median(results["loader"])
    rows = []
    for goal in GOALS:
        of = results["costs"][f"browser, {goal.events}"][f"compiled {goal.protocol}"]
        door = statistics.median(of["cost"])
        hours = (door + loader) * BILLION / 1e6 / 3600
        cores = BILLION / DAY_SECONDS * PEAK * (door + loader) / 1e6 / BUSY
        machines = -(-cores // CORES)
        money = f"{machines * CORES * 24 * CORE_HOUR_USD:,.0f}"
        rows.append(
            [
                f"{NAMES[f'compiled {goal.protocol}']}, {goal.events}",
                *(f"{value:,.1f}" for value in (door, hours, cores)),
                f"{machines:,.0f}",
                money,
            ]
        )
    head = ["way in", "door, µs", "core-hours per billion", "cores at the peak", f"machines of {CORES}", "USD a day"]
    return _table(head, rows)


def _reads(results: Results) -> str:
    """Questions by size; goals are for ten million rows, and for the growth from there to a hundred million."""
    sizes = sorted(results["reads"]["sizes"], key=int)
    rows = []
    for name, goal in READS.items():
        found = {size: results["reads"]["sizes"][size].get(f"{name}, sums") for size in sizes}
        middle = {size: statistics.median(values) for size, values in found.items() if values}
        growth = f"{middle[LARGEST] / middle[TEN_MILLION]:.2f}" if LARGEST in middle else ""
        cells = [spread(values, 0) if values else "" for values in found.values()]
        rows.append([name, f"{goal:g}", *cells, growth, _verdict(middle[TEN_MILLION], goal)])
    head = ["question", "goal at 10 M", *(f"{int(size) // 1_000_000} M rows" for size in sizes)]
    return _table([*head, "100 M to 10 M", "at 10 M"], rows)


def _growth(results: Results) -> str:
    drawn = {
        name: {
            int(size): statistics.median(found[f"{name}, sums"])
            for size, found in results["reads"]["sizes"].items()
            if f"{name}, sums" in found
        }
        for name in READS
    }
    return curves("Processor time of a question by the rows of its site, ms", drawn)


def _machine(results: Results) -> str:
    one = results["machine"]["costs"]
    return (
        f"{one['cores']} cores of {one['processor']}, Linux {one['kernel']}, Python {one['python']}, grpcio "
        f"{one['grpcio']}, FastAPI {one['fastapi']}, pydantic {one['pydantic']}; generator in {one['generator']}; "
        f"{one['rounds']} rounds on {one['measured']}, load average {one['load_before']} before the run"
    )


def _plot_of(results: Results, events: str) -> str:
    drawn = []
    for kind in ("browser", "server"):
        ways = results["costs"][f"{kind}, {events}"]
        drawn += [
            Bar(group=f"{kind} events", name=name, values=ways[way]["cost"], ours=way.startswith("compiled"))
            for way, name in NAMES.items()
            if way in ways
        ]
    return bars(f"Processor time per event, {events}, in µs: median and range", drawn)


def files(results: Results) -> dict[Path, str]:
    """What is written, by its place."""
    loader = results["loader"]
    parts = {
        "goals": _goals(results),
        "figures": _figures(results),
        "workers": _workers(results),
        "machines": _machines(results),
        "machine": _machine(results),
        "cores": str(results["machine"]["costs"]["cores"]),
        "loader": spread(loader, 1),
        "loader_verdict": _verdict(statistics.median(loader), 15),
        "reads": _reads(results),
        "reads_said": results["reads"]["said"],
        "assumed": f"P = {PEAK:g}, U = {BUSY:g}, {CORES} cores a machine, {CORE_HOUR_USD} USD a core and hour",
    }
    text = TEXT.read_text(encoding="utf-8")
    for name, part in parts.items():
        text = text.replace(f"@{name}@", part)
    return {
        ROOT / "docs" / "performance.md": text,
        ROOT / "docs" / "img" / "performance-single.svg": _plot_of(results, "single"),
        ROOT / "docs" / "img" / "performance-batch.svg": _plot_of(results, "batch of 100"),
        ROOT / "docs" / "img" / "performance-reads.svg": _growth(results),
    }


def write(results: Results) -> None:
    """All of them."""
    for path, text in files(results).items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(json.loads(RESULTS.read_text(encoding="utf-8")))
