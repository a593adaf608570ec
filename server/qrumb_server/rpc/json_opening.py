"""Opens the calls by which the gateway hands over JSON bodies: the same Opened that a typed call becomes.

A registration that is not JSON becomes one that is rejected in the same way.

Nothing here refuses a body for what is in it. What is not JSON becomes one event that the pipeline rejects, so that it
has a dead letter and is counted like any other; `Opened.is_refused` says that nothing else is in the call.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import DecodeError

from qrumb_server.model import Source
from qrumb_server.reading.body import (
    BatchBody,
    batch_of,
    pieces_of,
    read_batch,
    read_item,
    read_items,
    read_single,
    read_usual_batch,
    unread,
)
from qrumb_server.reading.event import ReadEvent, ReadScan
from qrumb_server.reading.scans import batch_of_scans, pieces_of_scans, read_scan, read_scans, unread_scan
from qrumb_server.reading.text import NotJsonError
from qrumb_server.reasons import calls
from qrumb_server.rpc.compiled_calls import Compiled, CompiledCall
from qrumb_server.rpc.faults import RequestFault
from qrumb_server.rpc.opened import Opened
from qrumb_server.rpc.turns import Turns

__all__ = ["JSON_COLLECTOR", "JSON_KINDS", "JsonKind", "open_json"]

JSON_COLLECTOR: Final = "qrumb_server.wire.v1.JsonCollectorService"
# Longer ones are taken apart beside the event loop.
SHORT_BODY: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonKind:
    """What a method takes."""

    typed: str
    """The contract's method that it stands for."""
    source: Source | None
    """Of the events; None: these are scan sessions."""
    is_batch: bool = False


JSON_KINDS: Final = {
    f"/{JSON_COLLECTOR}/{name}": JsonKind(
        typed=f"/qrumb.v1.{service}/{name}", source=source, is_batch=name.startswith("Batch")
    )
    for service, name, source in (
        ("CollectorService", "CollectBrowserEvent", Source.BROWSER),
        ("CollectorService", "BatchCollectBrowserEvents", Source.BROWSER),
        ("CollectorService", "CollectServerEvent", Source.SERVER),
        ("CollectorService", "BatchCollectServerEvents", Source.SERVER),
        ("ScanSessionService", "RegisterScanSession", None),
        ("ScanSessionService", "BatchRegisterScanSessions", None),
    )
}


async def open_json(
    kind: JsonKind, request: bytes, *, turns: Turns, max_events: int, compiled: Compiled | None = None
) -> Opened:
    """The events of a body.

    Args:
        compiled: takes those that it knows to be ordinary.

    Raises:
        RequestFault: there are too many of them.
    """
    try:
        text = HttpBody.FromString(request).data
    except DecodeError:
        raise RequestFault(calls.UNDECODABLE) from None
    if kind.source is None:
        return await _open_scans(text, turns, max_events, is_batch=kind.is_batch)
    if compiled and (call := await _compiled(compiled, kind.source, text, turns, is_batch=kind.is_batch)):
        return Opened(size=len(text), compiled=call)
    if not kind.is_batch:
        return _open_single(text, kind.source)
    try:
        body = (
            read_batch(text, most=max_events)
            if len(text) <= SHORT_BODY
            else await _taken_apart(text, turns, max_events)
        )
    except NotJsonError as error:
        return _opened([unread(text, error, kind.source)], text, is_refused=True)
    if len(body.items) > max_events:
        raise RequestFault(calls.TOO_MANY_EVENTS, field="events", limit=max_events)
    read = await turns.run(read_items(body, kind.source), size=len(text))
    return _opened(read, text, validate_only=body.is_dry_run)


async def _open_scans(text: bytes, turns: Turns, most: int, *, is_batch: bool) -> Opened:
    """Registrations are few beside events, so that all are read the explaining way."""
    try:
        if not is_batch:
            return _opened([read_scan(text)], text)
        pieces = pieces_of_scans(text, most=most)
        await turns.run(pieces.steps(), size=len(text))
        body = batch_of_scans(text, pieces)
    except NotJsonError as error:
        return _opened([unread_scan(text, error)], text, is_refused=True)
    if len(body.items) > most:
        raise RequestFault(calls.TOO_MANY_SESSIONS, field="scan_sessions", limit=most)
    return _opened(await turns.run(read_scans(body), size=len(text)), text)


async def _compiled(way: Compiled, source: Source, text: bytes, turns: Turns, *, is_batch: bool) -> CompiledCall | None:
    """The call on the compiled way, with what that could not read; None: it is not for it."""
    opened = await way.open(text, source, is_batch=is_batch, is_json=True)
    if opened is None or not (unread := opened.call.unread()):
        return opened
    # What it passes over it does not check: whether the whole is JSON, the reader sees that refuses calls.
    try:
        body = read_usual_batch(text) if len(text) <= SHORT_BODY else await asyncio.to_thread(read_usual_batch, text)
    except NotJsonError:
        return None
    if body is None:
        return None
    read = await turns.run((read_item(body.items[index], source) for index in unread), size=len(text))
    return replace(opened, read=dict(zip(unread, read, strict=True)))


async def _taken_apart(text: bytes, turns: Turns, max_events: int) -> BatchBody:
    """A long batch: beside the event loop where that is short, since the compiled reader lets no one in meanwhile."""
    if usual := await asyncio.to_thread(read_usual_batch, text):
        return usual
    pieces = pieces_of(text, most=max_events)
    await turns.run(pieces.steps(), size=len(text))
    return batch_of(pieces)


def _open_single(text: bytes, source: Source) -> Opened:
    try:
        body = read_single(text, source)
    except NotJsonError as error:
        return _opened([unread(text, error, source)], text, is_refused=True)
    return _opened([body.event], text, validate_only=body.is_dry_run)


def _opened(
    read: Sequence[ReadEvent | ReadScan], text: bytes, *, validate_only: bool = False, is_refused: bool = False
) -> Opened:
    return Opened(
        events=[one.message for one in read],
        readings=[one.reading for one in read],
        size=len(text),
        validate_only=validate_only,
        is_refused=is_refused,
    )
