"""Queries and erasures refuse what the contract's annotations forbid, and name the field that they do.

The checks are written by hand: docs/decisions/0023-checks-by-hand.md says why.
"""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import protovalidate
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from qrumb.v1 import privacy_service_pb2 as privacy_pb
from qrumb.v1 import query_service_pb2 as pb
from qrumb.v1 import replay_service_pb2 as replay_pb
from qrumb.v1 import scan_session_service_pb2 as session_pb
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb_server.query.service import Queries, SessionQueries
from qrumb_server.rpc.faults import RequestFault
from qrumb_server.upkeep.service import Privacy, Replays
from qrumb_server.wire.v1.upkeep_service_pb2 import ReplayRequest, ReplayResponse

SITE = "demo"
VALID: list[tuple[type[Any], Message]] = [
    (Queries, pb.GetReceiptRequest(site_id=SITE, event_id="0192f0c1-7e1a-7c3d-9b1e-2f6a7d8c9e4f")),
    (Queries, pb.ListRejectedEventsRequest(site_id=SITE)),
    (Queries, pb.GetLedgerRequest(site_id=SITE)),
    (Queries, pb.ListAlarmsRequest(site_id=SITE)),
    (Queries, pb.TailEventsRequest(site_id=SITE)),
    (Queries, pb.CountEventsRequest(site_id=SITE)),
    (Queries, pb.GetFunnelRequest(site_id=SITE)),
    (Queries, pb.GetAttributionRequest(site_id=SITE)),
    (SessionQueries, session_pb.GetScanSessionRequest(site_id=SITE, scan_session_id="scan")),
    (Privacy, privacy_pb.EraseSubjectRequest(site_id=SITE, user_id="u")),
    (Privacy, privacy_pb.ExportSubjectRequest(site_id=SITE, user_id="u")),
    (Replays, replay_pb.ReplayRejectedEventsRequest(site_id=SITE)),
]
TEXTS = (
    "",
    "a",
    "a b",
    "ä",
    "-_A9",
    "x" * 64,
    "x" * 65,
    "x" * 128,
    "x" * 129,
    "x" * 256,
    "x" * 257,
    "Europe/Vienna",
    "0" * 64,
    "g" * 64,
)
NUMBERS = (0, 1, 2, 3, 5, 6, 21, 22, 400, 401, 999, 1_000, 1_001, 10_000, 10_001, 86_400, 86_401, 2**31 - 1)
# A place is known to be ours only once it is read.
READ_LATER = {"page_token", "cursor"}


class Anything:
    """What stands behind a service; whatever it is asked, it has a session to answer with."""

    def __getattr__(self, _name: str) -> Any:
        return lambda *_arguments: ScanSession()


class Counting:
    """Replays nothing."""

    def run(self, _request: ReplayRequest) -> ReplayResponse:
        return ReplayResponse()


class Inline:
    """Answers at once."""

    async def run(self, answer: Callable[[], Any], *, is_scan: bool = False) -> Any:
        return answer()


def variants(message: Message, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each text and number of a request, at its limits."""
    for field in message.DESCRIPTOR.fields:
        if field.is_repeated:
            one, most = (TEXTS, 101) if field.type == FieldDescriptor.TYPE_STRING else (NUMBERS, 7)
            yield from ((f"{path}{field.name}", [value]) for value in one)
            yield from ((f"{path}{field.name}", [value] * count) for value in one[1:2] for count in (2, most - 1, most))
        elif field.type == FieldDescriptor.TYPE_STRING:
            yield from ((f"{path}{field.name}", value) for value in TEXTS)
        elif field.type in {FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_ENUM}:
            yield from ((f"{path}{field.name}", value) for value in NUMBERS)
        elif field.name == "user_identifiers":
            yield from variants(getattr(message, field.name), f"{field.name}.")


def changed(message: Message, path: str, value: Any) -> Message:
    copy = type(message)()
    copy.CopyFrom(message)
    holder: Any = copy
    *parents, name = path.split(".")
    for parent in parents:
        holder = getattr(holder, parent)
    if isinstance(value, list):
        getattr(holder, name).extend(value)
    else:
        setattr(holder, name, value)
    return copy


def broken_fields(message: Message) -> set[str]:
    places = (violation.proto.field for violation in protovalidate.collect_violations(message))
    return {".".join(element.field_name for element in place.elements) for place in places if place is not None}


def refused_field(service: Any, message: Message) -> str | None:
    call = getattr(service, type(message).__name__.removesuffix("Request"))

    class Context:
        def invocation_metadata(self) -> tuple[()]:
            return ()

    try:
        asyncio.run(call(message, Context()))
    except RequestFault as fault:
        return fault.field
    return None


@pytest.mark.parametrize(("kind", "valid"), VALID, ids=lambda value: type(value).__name__)
def test_a_request_is_refused_for_the_field_that_breaks_the_contract(kind: type[Any], valid: Message) -> None:
    with ThreadPoolExecutor(1) as executor:
        ways = {"executor": executor, "reads": Inline(), "replay": Counting()}
        service = kind(**{name: ways.get(name, Anything()) for name in inspect.signature(kind).parameters})
        assert refused_field(service, valid) is None
        for path, value in variants(valid):
            request = changed(valid, path, value)
            broken, refused = broken_fields(request), refused_field(service, request)
            if path in READ_LATER:
                continue
            if request == type(request)(site_id=SITE) and kind is Privacy:  # across fields, which no annotation says
                assert refused == "user_id"
                continue
            assert ({refused} if refused else set()) == broken, (path, value)
