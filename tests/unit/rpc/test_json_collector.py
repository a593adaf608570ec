"""The JSON edge in process: bodies in, the contract's JSON out, and a verdict for everything that is in them."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.json_format import MessageToDict

from qrumb_server.model import Source
from qrumb_server.pipeline.run import judge
from qrumb_server.pipeline.stamp import Arrival
from qrumb_server.rpc.collector import Collector, event_receipt
from qrumb_server.rpc.json_answers import as_members, receipt_members
from qrumb_server.rpc.json_collector import add_json_collector
from qrumb_server.rpc.opened import Opened
from qrumb_server.rpc.turns import Turns
from qrumb_server.rpc.wrappers import Method, Wrappers
from qrumb_server.wire.v1.record_pb2 import Record
from tests.support.opened import opening
from tests.support.reading import explained
from tests.support.verdict_cases import FILES, load_cases

ARRIVAL = Arrival(
    received_time_ms=1_790_000_000_123,
    retention_ms=400 * 86_400_000,
    make_event_id=lambda event: f"0192f0c1-7e1a-7c3d-9b1e-{event.index:012}",
)
METHODS = "/qrumb_server.wire.v1.JsonCollectorService/"
GOOD = b'{"site_id":"s","event_type":"e","nosuch":1}'


class Edge:
    """A server, what it keeps, and a caller as the gateway is."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.channel: Any = None

    async def append(self, records: Sequence[bytes], _sites: Sequence[str]) -> None:
        """As SpoolWriter.append."""
        await asyncio.sleep(0)
        self.records += map(Record.FromString, records)

    async def post(self, method: str, body: bytes, path: str = "/collect") -> dict[str, Any]:
        """The answer to a body that was sent to a path."""
        call = self.channel.unary_unary(METHODS + method, HttpBody.SerializeToString, HttpBody.FromString)
        answer = await call(HttpBody(data=body), metadata=(("x-envoy-original-path", path),))
        assert answer.content_type == "application/json"
        read: dict[str, Any] = json.loads(answer.data)
        return read

    async def answer(self, method: str, body: bytes) -> tuple[object, ...]:
        """The same as bytes; or the error."""
        call = self.channel.unary_unary(METHODS + method)
        try:
            return (await call(HttpBody(data=body).SerializeToString()),)
        except grpc.aio.AioRpcError as error:
            return (error.code(), error.details(), *(error.trailing_metadata() or ()))


@asynccontextmanager
async def serving(socket: Path, *, by_python: bool) -> AsyncIterator[Edge]:
    """Served on a unix socket."""
    edge, turns = Edge(), Turns()
    server = grpc.aio.server(interceptors=[Wrappers(opening=opening(turns, by_python=by_python))])
    add_json_collector(Collector(append=edge.append, new_arrival=lambda: ARRIVAL, turns=turns), server)
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    async with grpc.aio.insecure_channel(f"unix:{socket}", options=[("grpc.max_metadata_size", 2**20)]) as edge.channel:
        yield edge
    await server.stop(0)


@pytest.fixture(params=["python", "compiled"])
async def edge(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Edge]:
    """Without the package both are the same."""
    async with serving(tmp_path / "json.sock", by_python=request.param == "python") as edge:
        yield edge


async def test_one_event_is_answered_and_kept(edge: Edge) -> None:
    """With what is odd about it."""
    receipt = (await edge.post("CollectBrowserEvent", GOOD))["receipt"]
    assert receipt["outcome"] == "ACCEPTED"
    assert [warning["code"] for warning in receipt["warnings"]] == ["UNKNOWN_FIELD"]
    [record] = edge.records
    assert record.accepted_event.row.event_id == receipt["event_id"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_the_compiled_way_answers_and_keeps_what_python_does(path: Path, tmp_path: Path) -> None:
    """Every case of the tables, alone and in one batch: byte for byte, errors too."""
    cases = load_cases(path, datetime.fromtimestamp(ARRIVAL.received_time_ms // 1000, UTC))
    texts = [json.dumps(case.event).encode() for case in cases if "http" in case.transports]
    method = "CollectBrowserEvent" if cases[0].source == "browser" else "CollectServerEvent"
    said, kept = [], []
    for by_python in (True, False):
        async with serving(tmp_path / f"{by_python}.sock", by_python=by_python) as edge:
            answers = [await edge.answer(method, text) for text in texts]
            answers.append(await edge.answer(f"Batch{method}s", b'{"events":[%b]}' % b" ,".join(texts)))
        said.append(answers)
        kept.append(edge.records)
    assert said[0] == said[1]
    assert kept[0] == kept[1]
    assert len(kept[0]) == 2 * len(texts)


async def test_each_event_of_a_batch_has_its_own_verdict(edge: Edge) -> None:
    """What is wrong with one harms no other, and is kept as a dead letter."""
    wrong = [
        b"null",
        b"[]",
        b'{"site_id":5}',
        b'{"site_id":"s","event_time":"noon"}',
        b'{"site_id":"s","page_title":"\\ud800"}',
    ]
    wrong += [b'{"site_id":"s","site_id":"s"}', b'{"site_id":"s","metadata":' + b'{"a":' * 300 + b"1" + b"}" * 301]
    body = b'{"events":[' + b",".join([GOOD, *wrong, GOOD]) + b"]}"
    receipts = (await edge.post("BatchCollectBrowserEvents", body))["receipts"]
    assert [receipt["outcome"] for receipt in receipts] == ["ACCEPTED", *["REJECTED"] * len(wrong), "ACCEPTED"]
    kinds = [record.WhichOneof("kind") for record in edge.records]
    assert kinds == ["accepted_event", *["dead_letter"] * len(wrong), "accepted_event"]


@pytest.mark.parametrize("method", ["CollectBrowserEvent", "BatchCollectBrowserEvents"])
async def test_what_is_no_json_refuses_the_call_and_is_one_dead_letter(edge: Edge, method: str) -> None:
    """Its place is named, its site is found, and nothing of its words is kept."""
    body = b'{"events":[{"site_id":"shop-1","page_title":"secret jane@example.org 203.0.113.9",}]}'
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await edge.post(method, body)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "is not JSON: see line 1, column" in (refused.value.details() or "")
    [record] = edge.records
    assert record.dead_letter.site_id == "shop-1"
    assert not any(word in str(record) for word in ("secret", "jane", "203.0.113.9"))


@pytest.mark.parametrize(
    ("path", "body", "is_dry"),
    [
        ("/collect?validate_only=true", GOOD, True),
        ("/collect?utm_source=x&validateOnly=1&_=5", GOOD, True),
        ("/collect?validate_only=maybe", GOOD, True),
        ("/collect?validate_only=false", GOOD, False),
        ("/collect?utm_source=x", GOOD, False),
        ("/collect", GOOD[:-1] + b',"validate_only":true}', True),
        ("/collect", GOOD[:-1] + b',"validate_only":"false"}', False),
    ],
)
async def test_a_dry_run_is_asked_for_in_the_address_or_the_body(
    edge: Edge, path: str, body: bytes, is_dry: bool
) -> None:
    """Other parameters in an address are not ours."""
    answer = await edge.post("CollectBrowserEvent", body, path)
    assert answer["receipt"]["outcome"] == ("VALIDATED" if is_dry else "ACCEPTED")
    assert ("row" in answer, bool(edge.records)) == (is_dry, not is_dry)


@pytest.mark.parametrize("text", [GOOD, b'{"site_id":"<b>","event_id":"x"}', b'{"site_id":"s","event_type":"e"}'])
@pytest.mark.parametrize("dry", [True, False])
def test_a_receipt_is_written_as_the_transcoder_writes_it(text: bytes, dry: bool) -> None:
    """Member by member what the message has, in its order."""
    [verdict] = judge([explained(text, Source.BROWSER)], ARRIVAL)
    message = event_receipt(verdict, ARRIVAL, dry=dry)
    expected = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    assert receipt_members(verdict, ARRIVAL, dry=dry) == expected
    assert list(receipt_members(verdict, ARRIVAL, dry=dry)) == list(as_members(message))


@pytest.mark.parametrize("by_python", [True, False])
async def test_what_was_read_of_a_batch_is_freed_event_by_event(by_python: bool) -> None:
    """All at once would hold the event loop: its names may be hundreds of thousands."""
    kept: list[Opened] = []

    async def keep(request: Opened, _context: object) -> None:
        kept.append(request)

    context: Any = None
    batch = Method(name=METHODS + "BatchCollectBrowserEvents", decode=bytes)
    odd = GOOD.replace(b'"e"', b'"e","consent":"perhaps"')
    body = HttpBody(data=b'{"events":[%b]}' % b",".join([odd] * 7))
    await opening(Turns(), by_python=by_python).unary(batch, keep)(body.SerializeToString(), context)
    [opened] = kept
    assert opened.number == 7
    assert opened.events or (opened.compiled and opened.compiled.read)
    assert len(list(opened.let_go())) >= 7
    assert not opened.events
    assert not opened.readings
    assert not opened.compiled or not opened.compiled.read
