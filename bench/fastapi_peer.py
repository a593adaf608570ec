"""What one would write by hand in place of a collector, to compare with: FastAPI, pydantic, one fdatasync for all
requests that wait. Run by uvicorn with uvloop and httptools, with PEER_FILE; nothing of qrumb is used.
"""

import asyncio
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import orjson
from fastapi import FastAPI, Response
from pydantic import BaseModel, Field, IPvAnyAddress

Text = Annotated[str, Field(max_length=1024)]
Url = Annotated[str, Field(max_length=8192)]
Consent = Literal["GRANTED", "DENIED", "PENDING"]
SiteId = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")]
Id = Annotated[UUID, Field(default_factory=uuid4)]
Hash = Annotated[str, Field(pattern="^([0-9a-fA-F]{64})?$")]


class Event(BaseModel):
    """The fields of a browser event, each with a rule that its type can say."""

    site_id: SiteId
    event_type: Text
    event_id: Id
    event_time: datetime | None = None
    scan_session_id: Text | None = None
    consent: Consent | None = None
    page_url: Annotated[Url, Field(pattern="^https?://[^/?#]")] | None = None
    page_title: Text | None = None
    referrer: Url | None = None
    device: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class Identifiers(BaseModel):
    """Who it was."""

    email_hash: Hash | None = None
    phone_hash: Hash | None = None
    external_id: Annotated[str, Field(max_length=256)] | None = None


class Value(BaseModel):
    """What it was worth."""

    amount: Annotated[float, Field(ge=-1e12, le=1e12)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]


class ServerEvent(BaseModel):
    """The fields of a server event likewise."""

    site_id: SiteId
    event_name: Text
    scan_session_id: Text
    event_id: Id
    event_time: datetime | None = None
    consent: Consent | None = None
    user_identifiers: Identifiers | None = None
    conversion_value: Value | None = None
    properties: dict[str, Any] | None = None
    client_ip: IPvAnyAddress | None = None
    user_agent: Annotated[str, Field(max_length=2048)] | None = None


class Batch(BaseModel):
    """Several."""

    events: Annotated[list[Event], Field(min_length=1, max_length=1000)]


class ServerBatch(BaseModel):
    """Several."""

    events: Annotated[list[ServerEvent], Field(min_length=1, max_length=1000)]


class Log:
    """Lines that are on the disk when `keep` returns; those that come while it syncs go together with the next sync."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._waiting: list[bytes] = []
        self._lock = asyncio.Lock()

    async def keep(self, line: bytes) -> None:
        """Returns after the sync."""
        self._waiting.append(line)
        async with self._lock:
            if self._waiting:  # else the one before has written it
                lines, self._waiting = self._waiting, []
                await asyncio.to_thread(self._write, b"".join(lines))

    def _write(self, lines: bytes) -> None:
        os.write(self._file, lines)
        os.fdatasync(self._file)


app = FastAPI()
log = Log(os.environ["PEER_FILE"])


def line_of(event: Event | ServerEvent) -> bytes:
    """As it is kept."""
    kept = {**event.model_dump(exclude_none=True), "received_time": datetime.now(UTC)}
    return orjson.dumps(kept, default=str) + b"\n"


async def keep_one(event: Event | ServerEvent) -> Response:
    """Answers once it is on the disk."""
    await log.keep(line_of(event))
    return answer({"receipt": {"event_id": event.event_id, "outcome": "ACCEPTED"}})


async def keep_all(events: Sequence[Event | ServerEvent]) -> Response:
    """Answers once they are on the disk."""
    await log.keep(b"".join(map(line_of, events)))
    return answer({"receipts": [{"event_id": event.event_id, "outcome": "ACCEPTED"} for event in events]})


def answer(content: Any) -> Response:
    """As JSON."""
    return Response(orjson.dumps(content), media_type="application/json")


@app.post("/collect")
async def collect(event: Event) -> Response:
    """One event."""
    return await keep_one(event)


@app.post("/collect/batch")
async def collect_batch(batch: Batch) -> Response:
    """Several."""
    return await keep_all(batch.events)


@app.post("/server-events")
async def collect_server_event(event: ServerEvent) -> Response:
    """One event."""
    return await keep_one(event)


@app.post("/server-events/batch")
async def collect_server_batch(batch: ServerBatch) -> Response:
    """Several."""
    return await keep_all(batch.events)
