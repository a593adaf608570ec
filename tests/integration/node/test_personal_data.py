"""Personal data in every place that a caller can write to, over every way in; then every place that a node writes to.

Each text is of one place, so that one that is found says where it came from. An e-mail address is allowed nowhere, nor
is what says who called. In fields of their own senders may write what they like but e-mail addresses: such a text may
be in a row, a dead letter or the spool, never in a log, a metric or a name of a file.
"""

import contextlib
import re
import struct
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb.v1.server_event_pb2 import ServerEvent
from tests.support.patience import patient
from tests.support.plain_http import NO_TLS
from tests.support.stack import Stack, frozen, running_stack

pytestmark = [pytest.mark.stack, pytest.mark.slow]

SITE = "demo"
MESSAGES: dict[str, type[Message]] = {
    "/collect": BrowserEvent,
    "/server-events": ServerEvent,
    "/scan-sessions": ScanSession,
}
GOOD: dict[str, dict[str, Any]] = {
    "/collect": {"site_id": SITE, "event_type": "click"},
    "/server-events": {"site_id": SITE, "event_name": "lead", "scan_session_id": "s"},
    "/scan-sessions": {"site_id": SITE, "qr_code_id": "poster-7"},
}
METHODS = {
    "/collect": "CollectorService/CollectBrowserEvent",
    "/server-events": "CollectorService/CollectServerEvent",
    "/scan-sessions": "ScanSessionService/RegisterScanSession",
}
HEADERS = (
    "user-agent", "referer", "origin", "cookie", "x-forwarded-for", "forwarded", "x-client-ip", "x-real-ip",
    "true-client-ip", "x-request-id", "traceparent", "tracestate", "accept-language", "sec-ch-ua", "sec-ch-ua-platform",
    "x-user", "from", "content-type", "grpc-timeout", "x-forwarded-proto", "x-envoy-original-path",
)  # fmt: skip
# The gateway reads its JSON, and says the caller's own wrong value back to the caller.
TRANSCODED = "/scan-sessions"
BROKEN = (
    '{"site_id": "TEXT"',
    '{"TEXT": ',
    "TEXT",
    '["TEXT"]',
    '{"site_id": "demo", "TEXT"}',
    '{"events": [{"a": "TEXT"}, "TEXT"]}',
)
# What senders write into what they send.
BODIES = ("field", "unknown name", "broken", "bytes", "pixel")
# Used and dropped.
OF_CALLERS = ("client_ip", "user_agent", "client_hints")
# A test data's key is put together from pieces, or `make check` would take it for one.
KEY = "qk" + "_leaked{number:02d}_" + "k{number:04d}" * 8


class Texts:
    """Personal data that no other place has."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self.places: dict[str, tuple[str, str]] = {}
        """Kind and place of each text."""

    def email(self, place: str) -> str:
        return self._put("email", place, f"jane{next(self._numbers)}@mail{next(self._numbers)}.example")

    def address(self, place: str) -> str:
        number = next(self._numbers)  # none is the beginning of another
        return self._put(
            "address", place, f"100.{64 + number // 22_500}.{100 + number // 150 % 150}.{100 + number % 150}"
        )

    def phone(self, place: str) -> str:
        return self._put("phone", place, f"+43660{next(self._numbers):08d}")

    def key(self, place: str) -> str:
        number = next(self._numbers)
        return self._put("key", place, KEY.format(number=number))

    def all(self, place: str) -> str:
        """One of each kind, in one text."""
        return f"{self.email(place)} {self.others(place)}"

    def others(self, place: str) -> str:
        """The same without the e-mail address, for which a text is refused."""
        return f"{self.address(place)} {self.phone(place)} {self.key(place)}"

    def each(self, place: str) -> list[str]:
        """One of each kind by itself."""
        return [make(place) for make in (self.email, self.address, self.phone, self.key)]

    def _put(self, kind: str, place: str, text: str) -> str:
        self.places[text] = (kind, place)
        return text

    def found_in(self, image: str) -> dict[str, tuple[str, str]]:
        """Those that a text holds, by upper or lower case, also as an address in a URL has them."""
        plain = image.lower().replace("%40", "@").replace("%2b", "+")
        return {text: where for text, where in self.places.items() if text.lower() in plain}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One that logs each request and all that it has to say."""
    settings = {"QRUMB_ACCESS": "keys", "QRUMB_GATEWAY__ACCESS_LOG": "true", "QRUMB_LOG_LEVEL": "debug"}
    settings["QRUMB_GATEWAY__REQUEST_BURST"] = "100000"  # all calls come from one address
    with running_stack(tmp_path_factory.mktemp("personal") / "data", **settings) as running:
        yield running


def test_personal_data_gets_no_further_than_it_may(node: Stack) -> None:
    """Over JSON, gRPC through the gateway and directly; with spooled events looked at before they are loaded."""
    texts, key = Texts(), (node.data_dir / "demo.key").read_text().strip()
    with node.http() as client, frozen(node, "loader"):
        answers = [*send_json(client, texts, key), *send_requests(client, texts, key), *send_broken(client, texts, key)]
        for door in (node.url.removeprefix("http://"), node.grpc_target):
            answers += send_grpc(door, texts, key)
        spooled = files(node.data_dir)
    assert len(texts.places) > 500
    with node.http() as client:
        answers += send_questions(client, texts, key)  # apart: they would wait for a loader that is frozen
    node.wait_for_empty_spool()
    [metrics] = re.findall(r"^metrics: (\S+)$", node.log(), re.MULTILINE)
    said = {
        "log": node.log(),
        "metrics": httpx.get(metrics, timeout=patient(20), verify=NO_TLS).text,
        "status": node.command("status", "--format", "json").stdout,
        "names of files": "\n".join(str(path) for path in node.data_dir.rglob("*")),
    }
    leaks = {name: found for name, text in said.items() if (found := texts.found_in(text))}
    kept = {**spooled, **files(node.data_dir), **tables(node)}
    for name, text in kept.items():
        if found := {one: where for one, where in texts.found_in(text).items() if not may_be_kept(*where)}:
            leaks[name] = found
    assert any(
        kind == "phone" for kind, _place in texts.found_in(kept["valid_events"]).values()
    )  # it finds what is there
    lines = [f"{name}: {kind} of {place}" for name, found in leaks.items() for kind, place in found.values()]
    assert sorted(lines) == []
    quoted = {place for kind, place in texts.found_in("\n".join(answers)).values() if kind == "email"}
    assert sorted(place for place in quoted if not place.endswith(TRANSCODED)) == []


def may_be_kept(kind: str, place: str) -> bool:
    """In rows, dead letters and the spool: what a body says, but no e-mail address, and not who called."""
    return kind != "email" and place.startswith(BODIES) and not any(name in place for name in OF_CALLERS)


def send_json(client: httpx.Client, texts: Texts, key: str) -> Iterator[str]:
    """Each field of each message, once with an e-mail address and once without."""
    for path, message in MESSAGES.items():
        for field in message.DESCRIPTOR.fields:
            for text in (texts.email(f"field {field.name} of {path}"), texts.others(f"field {field.name} of {path}")):
                event = {**GOOD[path], field.name: valued(field, text)}
                yield client.post(path, json=event, headers=bearer(key)).text
        name = texts.all(f"unknown name of {path}")
        yield client.post(path, json={**GOOD[path], name: name}, headers=bearer(key)).text


def valued(field: Any, text: str) -> Any:
    """The text as a value of the field, whatever its type: deep in own fields, as value and as name."""
    if field.message_type is None:
        return text
    if field.message_type is Struct.DESCRIPTOR:
        return {"a": {"b": [text, f"see {text}."]}, f"of {text}": 1}
    return {one.name: text for one in field.message_type.fields}


def send_requests(client: httpx.Client, texts: Texts, key: str) -> Iterator[str]:
    """Headers, queries, methods and keys."""
    for path, event in GOOD.items():
        for name in HEADERS:
            headers = {**bearer(key), name: texts.all(f"header {name} of {path}")}
            yield client.post(path, json=event, headers=headers).text
        for text in texts.each(f"query of {path}"):
            yield client.post(path, params={"validate_only": text, text: "1", "key": text}, json=event).text
            yield client.post(path, params={text: text}, json=event, headers=bearer(key)).text
        for text in texts.each(f"key of {path}"):
            yield client.post(path, json=event, headers=bearer(text)).text
    for text in texts.others("method").split():
        yield client.request(text, "/collect").text
    for text in texts.each("pixel"):
        values = {"site_id": SITE, "event_type": text, "page_url": f"https://a.example/?{text}"}
        yield client.get("/collect.gif", params=values).text


def send_questions(client: httpx.Client, texts: Texts, key: str) -> Iterator[str]:
    """Paths of what is read."""
    for place in ("/collect/{}", "/v1/sites/{}/ledger", "/v1/sites/demo/receipts/{}", "/console/{}", "/healthz?{}"):
        for text in texts.each(f"path {place}"):
            yield client.get(place.format(text), headers=bearer(key)).text


def send_broken(client: httpx.Client, texts: Texts, key: str) -> Iterator[str]:
    """Bodies that are not JSON, or none of an event."""
    for path in MESSAGES:
        for shape in BROKEN:
            body = shape.replace("TEXT", texts.all(f"broken {shape} of {path}"))
            yield client.post(path, content=body, headers=bearer(key)).text
            yield client.post(f"{path}/batch", content=body, headers=bearer(key)).text


def send_grpc(door: str, texts: Texts, key: str) -> Iterator[str]:
    """Metadata, keys, fields, names of methods, and bytes that are not a message."""
    with grpc.insecure_channel(door) as channel:
        for path, method in METHODS.items():
            for place in ("field", "bytes"):
                for text in (texts.email(f"{place} of {path}"), texts.others(f"{place} of {path}")):
                    yield call(channel, f"/qrumb.v1.{method}", as_bytes(path, place, text), bearer(key))
            for text in texts.each(f"gRPC key of {path} at {door}"):
                yield call(channel, f"/qrumb.v1.{method}", as_bytes(path, "", ""), bearer(text))
            metadata = {**bearer(key), "x-user": texts.all(f"gRPC metadata of {path} at {door}")}
            yield call(channel, f"/qrumb.v1.{method}", as_bytes(path, "", ""), metadata)
        for text in texts.each(f"gRPC method at {door}"):
            yield call(channel, f"/qrumb.v1.{text}/Do", b"", bearer(key))


def as_bytes(path: str, place: str, text: str) -> bytes:
    """A request: the text where a text may be, or in the middle of what is not a message."""
    if place == "bytes":
        return struct.pack(">BI", 0x0A, len(text)) + text.encode()
    event = MESSAGES[path](site_id=SITE)
    for field in event.DESCRIPTOR.fields:
        is_text = field.type == FieldDescriptor.TYPE_STRING and field.name != "site_id"
        if is_text and place == "field":
            setattr(event, field.name, text)
    body = event.SerializeToString()
    return b"\x0a" + _varint(len(body)) + body


def _varint(number: int) -> bytes:
    found = b""
    while number > 0x7F:
        found, number = found + bytes([number & 0x7F | 0x80]), number >> 7
    return found + bytes([number])


def call(channel: grpc.Channel, method: str, body: bytes, metadata: dict[str, str]) -> str:
    """What a caller reads of the answer."""
    ask: Any = channel.unary_unary(method)
    try:
        answer: bytes = ask(body, metadata=list(metadata.items()), timeout=patient(20))
    except grpc.RpcError as error:
        return f"{error.details()} {error.trailing_metadata()}"
    return answer.decode(errors="replace")


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def files(folder: Path) -> dict[str, str]:
    """All that lies in the data folder, by name; but for the database's own files, whose tables are read, and for what
    holds the site's own key."""
    found = {}
    for path in folder.rglob("*"):
        if (
            "clickhouse" in path.relative_to(folder).parts
            or path.name in {"demo.key", "sites.toml"}
            or not path.is_file()
        ):
            continue
        with contextlib.suppress(FileNotFoundError):  # a segment that was let go of in this moment
            found[str(path.relative_to(folder))] = path.read_bytes().decode(errors="replace")
    return found


def tables(node: Stack) -> dict[str, str]:
    """All texts of all tables."""
    columns = node.query(
        "SELECT table, groupArray(name) AS names FROM system.columns WHERE database = 'events' AND type LIKE '%String%'"
        " AND table IN (SELECT name FROM system.tables WHERE engine != 'View') GROUP BY table"
    )
    found = {}
    for one in columns:
        text = ", char(10), ".join(f"toString({name})" for name in one["names"])
        rows = node.query(f"SELECT concat({text}, '') AS text FROM events.{one['table']}")
        found[one["table"]] = "\n".join(row["text"] for row in rows)
    return found
