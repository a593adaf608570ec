"""A worker's direct port passes calls of the store on to the loader, with its answers and its errors as they are."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from qrumb.v1 import query_service_pb2 as pb
from qrumb.v1.event_row_pb2 import EventRow
from qrumb.v1.query_service_pb2_grpc import QueryServiceServicer, QueryServiceStub, add_QueryServiceServicer_to_server
from qrumb_server.reasons import calls
from qrumb_server.rpc.faults import RequestFault
from qrumb_server.rpc.forward import Forwarding
from qrumb_server.rpc.wrappers import Wrappers
from qrumb_server.supervise.sockets import CHANNEL_OPTIONS


class Loader(QueryServiceServicer):
    """Answers as it is told to."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.remaining: float | None = None
        self.rows = 1

    async def TailEvents(self, request: pb.TailEventsRequest, context: Any) -> pb.TailEventsResponse:
        """Rows of 10 KB."""
        self.remaining = context.time_remaining()
        if self.fault:
            raise self.fault
        return pb.TailEventsResponse(rows=[EventRow(metadata="x" * 10_000)] * self.rows, cursor=request.cursor)


@pytest.fixture
async def loader(tmp_path: Path) -> AsyncIterator[Loader]:
    """The loader's server."""
    service = Loader()
    server = grpc.aio.server(interceptors=[Wrappers()])
    add_QueryServiceServicer_to_server(service, server)
    server.add_insecure_port(f"unix:{tmp_path / 'loader.sock'}")
    await server.start()
    yield service
    await server.stop(0)


@pytest.fixture
async def stub(tmp_path: Path) -> AsyncIterator[QueryServiceStub]:
    """A caller of the worker's server."""
    server = grpc.aio.server(interceptors=[Wrappers()])
    server.add_generic_rpc_handlers([Forwarding(lambda: grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS))])
    target = f"unix:{tmp_path / 'loader.sock'}"
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    unlimited = [("grpc.max_receive_message_length", -1)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=unlimited) as channel:
        yield QueryServiceStub(channel)
    await server.stop(0)


async def refusal(call: Any) -> tuple[grpc.StatusCode, str, ErrorInfo, BadRequest]:
    """Code, text and details of a call that fails."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    status = Status.FromString(dict(refused.value.trailing_metadata())["grpc-status-details-bin"])
    info, bad = ErrorInfo(), BadRequest()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
    return refused.value.code(), str(refused.value.details()), info, bad


async def test_answers_pass_through(loader: Loader, stub: QueryServiceStub) -> None:
    """As the loader gave them."""
    answer = await stub.TailEvents(pb.TailEventsRequest(cursor="here"))
    assert (answer.cursor, len(answer.rows)) == ("here", 1)


async def test_long_answers_pass_through(loader: Loader, stub: QueryServiceStub) -> None:
    """A thousand rows may be more than gRPC takes by default."""
    loader.rows = 1_000
    assert len((await stub.TailEvents(pb.TailEventsRequest())).rows) == 1_000


async def test_errors_pass_through_with_their_details(loader: Loader, stub: QueryServiceStub) -> None:
    """What the caller can act on is not lost on the way."""
    loader.fault = RequestFault(calls.CURSOR_FORM, field="cursor")
    code, text, info, bad = await refusal(stub.TailEvents(pb.TailEventsRequest()))
    assert (code, text, info.reason, info.domain) == (
        grpc.StatusCode.INVALID_ARGUMENT, "must be the cursor of a response", "INVALID_FORMAT", "qrumb",
    )  # fmt: skip
    assert [violation.field for violation in bad.field_violations] == ["cursor"]


async def test_the_loaders_own_unavailable_keeps_its_reason(loader: Loader, stub: QueryServiceStub) -> None:
    """The store being away is another thing than the loader being away."""
    loader.fault = RequestFault(calls.STORE_UNAVAILABLE)
    code, text, info, _bad = await refusal(stub.TailEvents(pb.TailEventsRequest()))
    assert (code, text, info.reason) == (
        grpc.StatusCode.UNAVAILABLE, calls.STORE_UNAVAILABLE.text, "STORE_UNAVAILABLE",
    )  # fmt: skip


async def test_a_bug_of_the_loader_tells_nothing_of_itself(loader: Loader, stub: QueryServiceStub) -> None:
    """INTERNAL, without the exception's text."""
    loader.fault = RuntimeError("secret")
    code, text, info, _bad = await refusal(stub.TailEvents(pb.TailEventsRequest()))
    assert (code, info.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "secret" not in text


async def test_a_loader_that_is_away_is_unavailable_in_our_words(stub: QueryServiceStub, tmp_path: Path) -> None:
    """No path, no library's text; and it works again when the loader is back."""
    code, text, info, _bad = await refusal(stub.TailEvents(pb.TailEventsRequest(), timeout=10))
    assert (code, info.reason, info.domain) == (grpc.StatusCode.UNAVAILABLE, "QUERY_UNAVAILABLE", "qrumb")
    assert text == "the process that answers this is not there at the moment; try again"


async def test_the_callers_deadline_is_kept_and_there_is_always_one(loader: Loader, stub: QueryServiceStub) -> None:
    """A caller without one does not hold the loader for ever."""
    await stub.TailEvents(pb.TailEventsRequest(), timeout=5)
    assert loader.remaining is not None
    assert loader.remaining < 10
    await stub.TailEvents(pb.TailEventsRequest())
    assert 10 < loader.remaining < 40


async def test_other_services_are_not_forwarded(loader: Loader, stub: QueryServiceStub) -> None:
    """What the node's own commands may do is not offered to everybody."""
    forwarding = Forwarding(lambda: grpc.aio.insecure_channel("unix:none"))

    class Details:
        method = ""

    for method in (
        "/qrumb_server.wire.v1.SqlService/RunSql",
        "/qrumb_server.wire.v1.UpkeepService/Replay",
        "/qrumb.v1.CollectorService/CollectServerEvent",
        "/qrumb.v1.ScanSessionService/RegisterScanSession",
    ):
        Details.method = method
        assert forwarding.service(Details()) is None, method  # type: ignore[arg-type]  # all that is read of it
