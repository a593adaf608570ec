"""Whatever arrives: no stage raises, verdicts agree with the contract, and no e-mail address stays."""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from google.protobuf.message import DecodeError
from google.protobuf.struct_pb2 import Struct, Value
from hypothesis import strategies as st

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.receipt_pb2 import Violation
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb_server.enrich.email import contains_email, redact_emails
from qrumb_server.enrich.email_signs import may_contain_email
from qrumb_server.model import Caller, RawEvent, Rejected, Source, StampedEvent
from qrumb_server.pipeline.dead_letter import bury
from qrumb_server.pipeline.run import judge
from qrumb_server.pipeline.stamp import Arrival
from qrumb_server.pipeline.struct_json import StructFault, StructLimits, canonical_json
from tests.property.enrich.test_email import texts
from tests.property.pipeline.test_rules_agree import (
    UUID,
    browser_events,
    fields_by_annotations,
    fields_by_code,
    server_events,
)
from tests.property.pipeline.test_struct_json import as_struct, objects

# The fuzz fixture keeps to its own time; its last round may take some more.
pytestmark = pytest.mark.timeout(120 + float(os.environ.get("FUZZ_SECONDS", "0")))

ARRIVAL = Arrival(received_time_ms=1_790_000_000_000, retention_ms=86_400_000, make_event_id=lambda _: UUID)
Event = BrowserEvent | ServerEvent
edges: st.SearchStrategy[Any] = st.sampled_from(
    [0.0, -0.0, 2.0**53, -(2.0**53), 2.0**53 - 1, 1e308, 5e-324, "", None, True, False, [], {}]
)
edge_objects = st.dictionaries(st.text(max_size=2), edges | st.lists(edges, max_size=3), max_size=5)
filled_structs = (objects | edge_objects).map(as_struct)
structs = st.none() | filled_structs
# Mostly accepted, so that what is stored is looked at too.
sound_browser_events = st.builds(
    BrowserEvent,
    site_id=st.just("demo"),
    event_type=texts,
    page_url=texts.map("https://shop.example/".__add__),
    page_title=texts,
)
sound_server_events = st.builds(
    ServerEvent, site_id=st.just("demo"), scan_session_id=st.just("scan-1"), event_name=texts.map("x".__add__)
)


def with_own_fields(event: Event, struct: Struct | None) -> bytes:
    """The bytes of an event with the sender's own fields."""
    if struct is not None:
        (event.metadata if isinstance(event, BrowserEvent) else event.properties).CopyFrom(struct)
    return event.SerializeToString()


def overwrite(data: bytes, places: list[tuple[int, bytes]]) -> bytes:
    """Other bytes in their place: lengths stay, so the message often still decodes."""
    for place, new in places:
        start = place % (len(data) + 1)
        data = data[:start] + new + data[start + len(new) :]
    return data


def cut(data: bytes, place: int, length: int, new: bytes) -> bytes:
    """More or fewer bytes in a place."""
    start = place % (len(data) + 1)
    return data[:start] + new + data[start + length :]


def damaged(whole: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Valid bytes and damaged ones; of bytes at random hardly any decode."""
    places = st.integers(0, 4_000)
    overwrites = st.lists(st.tuples(places, st.binary(min_size=1, max_size=2)), min_size=1, max_size=3)
    return (
        whole
        | st.builds(overwrite, whole, overwrites)
        | st.builds(cut, whole, places, st.integers(0, 8), st.binary(max_size=8))
    )


def own_fields(path: str) -> bool:
    """Whether a path leads into the Struct, for which the contract has no annotations."""
    return path.startswith(("metadata", "properties"))


def check_event(event: Event, source: Source) -> None:
    [verdict] = judge([RawEvent(source=source, message=event, caller=Caller(), index=0)], ARRIVAL)
    by_code = {path for path in fields_by_code(event, source) if not own_fields(path)}
    assert by_code == fields_by_annotations(event)
    if isinstance(verdict, Rejected):
        check_rejected(verdict)
    else:
        check_stamped(verdict)


def check_rejected(verdict: Rejected) -> None:
    assert verdict.violations
    for violation in verdict.violations:
        assert violation.reason not in {Violation.INTERNAL, Violation.REASON_UNSPECIFIED}
        assert not contains_email(violation.field)
        assert not contains_email(violation.description)
    letter = bury(verdict, ARRIVAL.received_time_ms).dead_letter
    for kept in (letter.site_id, letter.event_id, letter.payload):
        assert not contains_email(kept)


def check_stamped(verdict: StampedEvent) -> None:
    row = verdict.record.accepted_event.row
    for kept in (row.scan_session_id, row.event_type, row.event_name, row.page_url, row.page_title, row.referrer):
        assert not contains_email(kept)
    orjson.loads(row.metadata)
    verdict.record.SerializeToString()


@pytest.mark.parametrize(
    ("message", "source", "events"),
    [
        (BrowserEvent, Source.BROWSER, browser_events | sound_browser_events),
        (ServerEvent, Source.SERVER, server_events | sound_server_events),
    ],
    ids=["browser", "server"],
)
def test_any_bytes_of_an_event_get_the_verdict_of_the_contract(
    fuzz: Any, message: type[Event], source: Source, events: st.SearchStrategy[Event]
) -> None:
    """judge() never raises and never says INTERNAL; what it rejects is what the annotations reject."""

    def check(data: bytes) -> None:
        try:
            event = message.FromString(data)
        except DecodeError:
            return  # the guard answers INVALID_ARGUMENT
        check_event(event, source)

    fuzz(check, damaged(st.builds(with_own_fields, events, structs)))


def test_any_text_is_redacted_for_good(fuzz: Any) -> None:
    """Redaction leaves nothing to find, changes nothing that has no address, and the cheap test misses nothing."""

    def check(text: str) -> None:
        found = contains_email(text)
        kept = redact_emails(text)
        assert not contains_email(kept)
        assert redact_emails(kept) == kept
        assert (kept != text) is found
        if found:
            assert may_contain_email(text)

    fuzz(check, texts | st.text() | st.binary(max_size=200).map(lambda data: data.decode(errors="replace")))


def plain(value: Value) -> object:
    """What a Value says, the slow and obvious way."""
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return {key: plain(inner) for key, inner in value.struct_value.fields.items()}
    if kind == "list_value":
        return [plain(inner) for inner in value.list_value.values]
    return None if kind in {None, "null_value"} else getattr(value, kind)


def leaves(value: object) -> Iterator[object]:
    """Every key and every value that holds no others."""
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


def test_any_bytes_of_a_struct_read_back_equal(fuzz: Any) -> None:
    """Canonical JSON says what the Struct says; what is refused says why without an address."""
    limits = StructLimits(max_depth=90, max_values=10_000, max_json_bytes=1_000_000)

    def check(data: bytes) -> None:
        try:
            struct = Struct.FromString(data)
        except DecodeError:
            return
        answer = canonical_json(struct, limits)
        if isinstance(answer, StructFault):
            assert answer.faults
            assert not any(contains_email(fault.path) or contains_email(fault.detail) for fault in answer.faults)
            return
        whole = plain(Value(struct_value=struct))
        # A Struct has only doubles; of a large one the text has the digits that JSON writers give it.
        assert json.loads(answer.text, parse_int=float) == whole
        assert not any(isinstance(leaf, str) and contains_email(leaf) for leaf in leaves(whole))

    serialize: Callable[[Struct], bytes] = Struct.SerializeToString
    fuzz(check, damaged(filled_structs.map(serialize)))
