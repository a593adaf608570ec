"""Whatever bytes come as a message, the answer is OK or INVALID_ARGUMENT, direct and through the gateway."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import cycle, islice
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.server_event_pb2 import ServerEvent
from tests.support.collector_calls import PATHS, GrpcCalls, batch_verdicts, to_message
from tests.support.patience import patient
from tests.support.stack import Stack
from tests.support.strings import SAMPLES, assert_stored, texts_event

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("unharmed")]

SERVICE = "/qrumb.v1.CollectorService/"
METHODS = ("CollectBrowserEvent", "CollectServerEvent", "BatchCollectBrowserEvents", "BatchCollectServerEvents")
# Wire types of protobuf; 3, 4, 6 and 7 no message of ours may have.
VARINT, FIXED64, BYTES, START_GROUP, END_GROUP, FIXED32 = range(6)
IN_FLIGHT = 64
FINE = {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}


@pytest.fixture(scope="module", params=["direct", "gateway"])
def channel(stack: Stack, request: pytest.FixtureRequest) -> Iterator[grpc.Channel]:
    """Both ways in."""
    target = stack.grpc_target if request.param == "direct" else stack.url.removeprefix("http://")
    with grpc.insecure_channel(target) as channel:
        yield channel


def test_random_bytes_are_no_message_and_no_harm(channel: grpc.Channel) -> None:
    """Of any length, to every method."""
    dice = random.Random(20_261_101)
    send_all(channel, (dice.randbytes(dice.choice((0, 1, 2, 3, 8, 40, 300, 5_000))) for _ in range(300)))


def test_valid_message_cut_anywhere(channel: grpc.Channel) -> None:
    """A truncated message is refused, or is a shorter valid one."""
    for message in valid_messages():
        send_all(channel, (message[:length] for length in range(len(message))))


def test_mutated_messages(channel: grpc.Channel) -> None:
    """Bits flipped, bytes put in, left out or repeated in messages that were good."""
    dice = random.Random(20_261_102)
    good = list(valid_messages())
    send_all(channel, (mutated(dice.choice(good), dice) for _ in range(600)))


def test_crafted_messages(channel: grpc.Channel) -> None:
    """Each says something that a generated client never would."""
    name = field(1, BYTES, b"hostile")
    events: dict[str, bytes] = {
        "invalid UTF-8": field(1, BYTES, b"\xff\xfe"),
        "overlong UTF-8": name + field(6, BYTES, b"\xc0\xaf"),
        "surrogate in UTF-8": name + field(6, BYTES, b"\xed\xa0\x80"),
        "number for a text": field(1, VARINT, varint(5)),
        "text for a number": name + field(5, BYTES, b"granted"),
        "fixed for a message": name + field(11, FIXED64, b"\0" * 8),
        "group": name + field(99, START_GROUP, b"") + field(99, END_GROUP, b""),
        "group that never ends": name + field(99, START_GROUP, b"") * 50,
        "end of no group": name + field(99, END_GROUP, b""),
        "reserved wire type": name + varint(99 << 3 | 6),
        "field zero": field(0, BYTES, b"x"),
        "unknown fields": name + b"".join(field(number, BYTES, b"x" * 50) for number in range(1_000, 3_000)),
        "length beyond the end": varint(1 << 3 | BYTES) + varint(2**31 - 1) + b"x",
        "length of 64 bits": varint(1 << 3 | BYTES) + varint(2**64 - 1),
        "endless varint": b"\x28" + b"\xff" * 30,
        "name twice": name + name,
        "event_time in a past of its own": name + field(3, BYTES, b"\x08" + varint(2**64 - 2**62)),
        "large text": name + field(8, BYTES, b"x" * 3_000_000),
        **{
            f"struct {depth} deep": name + field(11, BYTES, struct(depth))
            for depth in (5, 6, 24, 25, 32, 60, 99, 4_000)
        },
        **{f"properties {depth} deep": name + field(9, BYTES, struct(depth)) for depth in (6, 32, 99, 4_000)},
    }
    for case, event in events.items():
        codes = send_all(channel, repeated(field(1, BYTES, event)) + repeated(event))
        assert codes.total() == 2 * len(METHODS), case


def test_times_at_the_edges_of_their_type(channel: grpc.Channel) -> None:
    """JSON knows the years 1 to 9999; protobuf counts seconds in 64 bits. Rejected events of such a time as well."""
    times = [
        Timestamp(seconds=seconds, nanos=nanos)
        for seconds in (2**63 - 1, -(2**63), 2**40, -(2**40), 253_402_300_800, -62_135_596_801, 0)
        for nanos in (0, 2**31 - 1, -(2**31), -1)
    ]
    for name in ("lead", ""):
        events = [ServerEvent(site_id="edges", scan_session_id="s", event_name=name, event_time=time) for time in times]
        call = unary(channel, "BatchCollectServerEvents")
        answer = pb.BatchCollectServerEventsResponse.FromString(
            call(pb.BatchCollectServerEventsRequest(events=events).SerializeToString(), timeout=patient(10))
        )
        assert len(answer.receipts) == len(times)


def test_strings_of_every_kind_are_stored_as_sent(
    stack: Stack, channel: grpc.Channel, request: pytest.FixtureRequest
) -> None:
    """As over JSON."""
    site_id = f"strings-{request.node.callspec.params['channel']}"
    sent: dict[str, dict[str, Any]] = {}
    for source in PATHS:
        events = [texts_event(site_id, source, sample, str(number)) for number, sample in enumerate(SAMPLES)]
        verdicts = batch_verdicts(GrpcCalls(channel).batch(source, events, dry=False))
        assert {verdict.outcome for verdict in verdicts} == {"ACCEPTED"}
        sent |= {event["event_id"]: event for event in events}
    assert_stored(stack, site_id, sent)


def test_worst_rejection_fits_what_clients_take(channel: grpc.Channel) -> None:
    """Clients refuse trailers above 8 KiB, some of the time: a rejection must stay below, whatever is rejected."""
    for character in ("\x01", "👟", "x"):
        key = character * 64
        deep: Any = {f"{key[:60]}{number}": "jane@gmail.com" for number in range(20)}
        for _ in range(4):
            deep = {key: deep}
        long = character * 9_000
        event = to_message(
            "browser",
            {
                "site_id": long, "event_id": long, "scan_session_id": long, "consent": 99, "event_type": long,
                "page_url": long, "page_title": long, "referrer": long, "metadata": deep,
                "device": {
                    "type": long, "user_agent": long, "language": long, "timezone": long, "screen_width": 10**6,
                    "screen_height": 10**6, "viewport_width": 10**6, "viewport_height": 10**6,
                    "max_touch_points": 10**6,
                },
            },
        )  # fmt: skip
        with pytest.raises(grpc.RpcError) as refused:
            unary(channel, "CollectBrowserEvent")(field(1, BYTES, event.SerializeToString()), timeout=patient(10))
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT, refused.value
        trailers: Any = refused.value.trailing_metadata()
        details = refused.value.details() or ""
        assert "jane" not in str(trailers)
        # As gRPC counts: 32 bytes for each entry, and a message is percent-encoded.
        size = sum(len(name) + len(value) + 32 for name, value in trailers) + 3 * len(details.encode())
        assert size < 8 * 1024, size


def send_all(channel: grpc.Channel, messages: Iterable[bytes]) -> Counter[grpc.StatusCode]:
    """Send the messages to the methods in turn; every answer must be fine and come soon."""
    calls = cycle([unary(channel, method) for method in METHODS])
    codes: Counter[grpc.StatusCode] = Counter()
    left = iter(messages)
    while some := list(islice(left, IN_FLIGHT)):
        for message, answer in [(message, next(calls).future(message, timeout=patient(10))) for message in some]:
            assert answer.code() in FINE, (answer.code(), answer.details(), message[:500])
            codes[answer.code()] += 1
    return codes


def repeated(message: bytes) -> list[bytes]:
    """The message for every method."""
    return [message] * len(METHODS)


def unary(channel: grpc.Channel, method: str) -> Any:
    return channel.unary_unary(SERVICE + method)


def valid_messages() -> Iterator[bytes]:
    """Requests that fill many fields, small enough to cut at every byte."""
    browser = {
        "site_id": "hostile", "consent": 1, "event_type": "c", "page_url": "https://a/",
        "metadata": {"a": [1, {"b": None}]},
        "event_time": "2026-11-01T10:00:00Z", "device": {"screen_width": 390},
    }  # fmt: skip
    server = {
        "site_id": "hostile", "scan_session_id": "s", "event_name": "lead", "properties": {"a": True, "b": "ü"},
        "conversion_value": {"amount": 1.5, "currency": "EUR"}, "user_identifiers": {"external_id": "u"},
    }  # fmt: skip
    for source, event in (("browser", browser), ("server", server)):
        yield field(1, BYTES, to_message(source, event).SerializeToString())


def mutated(message: bytes, dice: random.Random) -> bytes:
    """The message with one to four accidents."""
    changed = bytearray(message)
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(changed))
        match dice.randrange(4):
            case 0:
                changed[place] ^= 1 << dice.randrange(8)
            case 1:
                changed[place:place] = dice.randbytes(dice.randint(1, 4))
            case 2:
                del changed[place : place + dice.randint(1, 4)]
                changed = changed or bytearray(b"\n")
            case _:
                changed[place:place] = changed[place : place + dice.randint(1, 20)] * dice.randint(1, 5)
    return bytes(changed)


def struct(depth: int) -> bytes:
    """A Struct of so many objects inside each other."""
    inner = b""
    for _ in range(depth):
        entry = field(1, BYTES, b"a") + field(2, BYTES, field(5, BYTES, inner))
        inner = field(1, BYTES, entry)
    return inner


def field(number: int, wire_type: int, payload: bytes) -> bytes:
    """A field on the wire; only BYTES has a length before its payload."""
    length = varint(len(payload)) if wire_type == BYTES else b""
    return varint(number << 3 | wire_type) + length + payload


def varint(number: int) -> bytes:
    """Base 128, low groups first."""
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])
