"""`make bench-smoke`: two ratios of `make bench` that a noisy machine hardly moves; they fail on a clear loss."""

import statistics
from pathlib import Path

import pytest

from bench.calls import CALLS
from bench.generate import PythonGenerator
from bench.side_by_side import measure
from bench.ways import node
from qrumb_server.rpc.hotpath import is_built

pytestmark = [pytest.mark.stack, pytest.mark.long]

ROUNDS, CALLS_PER_ROUND = 3, 10
MOST = 0.5
"""Measured: 0.13 over gRPC and 0.2 as JSON, within a third of it on a machine at seven times its cores."""


@pytest.mark.skipif(not is_built(), reason="the compiled way is not built here, so Python judges everything")
def test_a_batch_costs_much_less_by_the_compiled_way_than_by_python(tmp_path: Path) -> None:
    """Processor time of a batch of 100 browser events, over gRPC and as JSON through Envoy."""
    [batch] = [call for call in CALLS if call.name == "browser, batch of 100"]
    generator = PythonGenerator()
    ratios: dict[str, list[float]] = {"grpc": [], "json": []}
    with node(tmp_path / "compiled") as compiled, node(tmp_path / "python", QRUMB_RPC__COMPILED="false") as python:
        compiled.check(batch)
        python.check(batch)
        for _round in range(ROUNDS):
            for protocol, found in ratios.items():
                costs = [
                    measure(way, protocol, batch, CALLS_PER_ROUND, generator)["cost"] for way in (compiled, python)
                ]
                found.append(costs[0] / costs[1])
    assert {protocol: found for protocol, found in ratios.items() if statistics.median(found) >= MOST} == {}, ratios
