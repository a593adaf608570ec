"""Dead letters through the pipeline again: exactly once, however often it is asked for and wherever it is cut off.

A replayed event is a row under a name of its own, made from its letter's place in the spool, and is stored only
where that name is not there yet. Only then its letter is marked. So a run that dies in between is ended by the next.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any, Final

import orjson
from google.protobuf.json_format import ParseDict, ParseError

from qrumb.v1.event_row_pb2 import EventRow
from qrumb.v1.receipt_pb2 import Violation
from qrumb_server.loader.ledger import replay_ledger_batch
from qrumb_server.loader.loop import Loader
from qrumb_server.loader.rows import LOADER_STAGE, REPLAYED, PlacedEvent, RowId
from qrumb_server.model import Caller, FraudReason, RawEvent, Rejected, Source
from qrumb_server.pipeline.run import judge
from qrumb_server.pipeline.stamp import Arrival, Enrichers
from qrumb_server.ports import Clock, EventStore
from qrumb_server.reading.event import read_event
from qrumb_server.reading.text import NotJsonError, read_value
from qrumb_server.wire.v1 import upkeep_service_pb2 as pb
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent

__all__ = ["LOADER_PATIENCE", "Replay"]

# Letters of one insert.
GROUP: Final = 1_000
# As long as a caller waits for the loader to end its batch.
LOADER_PATIENCE: Final = timedelta(seconds=10)


class Replay:
    """Replays letters in the loader's process. Calls block; every one may raise a StoreError."""

    def __init__(
        self, *, store: EventStore, loader: Loader, clock: Clock, retention_ms: int, enrichers: Enrichers
    ) -> None:
        self._store = store
        self._loader = loader
        self._clock = clock
        self._retention_ms = retention_ms
        self._enrichers = enrichers

    def run(self, request: pb.ReplayRequest) -> pb.ReplayResponse:
        """Judge the selected letters again, and store those that are accepted now."""
        response = pb.ReplayResponse()
        letters = iter(self._select(request))
        while group := list(islice(letters, GROUP)):
            accepted: list[PlacedEvent] = []
            for letter in group:
                verdict = self._judge(letter)
                if verdict is None:
                    response.unreadable_count += 1
                elif isinstance(verdict, Rejected):
                    response.rejected_count += 1
                else:
                    accepted.append(PlacedEvent(row_id=_replayed_id(letter), event=verdict))
            refused = self._keep(accepted) if accepted and not request.validate_only else 0
            response.accepted_count += len(accepted) - refused
            response.rejected_count += refused
        return response

    def _select(self, request: pb.ReplayRequest) -> list[dict[str, Any]]:
        conditions = ["replayed_time IS NULL", "received_time >= {since:DateTime64(3, 'UTC')}"]
        parameters: dict[str, Any] = {"since": request.since_time_ms}
        if request.site_id:
            conditions.append("site_id = {site:String}")
            parameters["site"] = request.site_id
        if request.reason:
            conditions.append("has(reasons, {reason:String})")
            parameters["reason"] = Violation.Reason.Name(request.reason)
        if request.event_id:
            conditions.append("event_id = {event:String}")
            parameters["event"] = request.event_id
        return self._store.query(
            "SELECT received_time, event_id, source, stage, payload, segment_id, segment_row "  # noqa: S608
            f"FROM events.invalid_events WHERE {' AND '.join(conditions)} "
            "ORDER BY received_time, segment_id, segment_row",
            parameters,
        )

    def _judge(self, letter: Mapping[str, Any]) -> AcceptedEvent | Rejected | None:
        """The verdict of today; None where the letter does not hold its whole event."""
        try:
            if letter["stage"] == LOADER_STAGE:
                return ParseDict(orjson.loads(letter["payload"]), AcceptedEvent(), ignore_unknown_fields=True)
            read = read_event(read_value(letter["payload"].encode()), Source(letter["source"]))
        except (orjson.JSONDecodeError, NotJsonError, ParseError, TypeError):
            return None
        if not read.message.event_id:
            read.message.event_id = letter["event_id"]
        raw = RawEvent(
            source=Source(letter["source"]), message=read.message, caller=Caller(), index=0, reading=read.reading
        )
        arrival = Arrival(
            received_time_ms=letter["received_time"],
            retention_ms=self._retention_ms,
            make_event_id=_keeps_its_id,
            enrichers=self._enrichers,
        )
        [verdict] = judge([raw], arrival)
        if isinstance(verdict, Rejected):
            return verdict
        _forgive_missing_agent(verdict.record.accepted_event.row)
        return verdict.record.accepted_event

    def _keep(self, events: Sequence[PlacedEvent]) -> int:
        """Store events and mark their letters; returns how many the store refused."""
        with self._loader.exclusively(LOADER_PATIENCE):
            kept, conflicts = self._loader.store_replayed(events)
            if not kept:
                return len(events)
            entries = replay_ledger_batch(kept, conflicts)
            self._store.insert_missing(entries)
            self._store.confirm([entries])
            self._loader.count_replayed(entries)
            self._store.mutate(
                "ALTER TABLE events.invalid_events UPDATE replayed_time = {now:DateTime64(3, 'UTC')} "
                "WHERE (segment_id, segment_row) IN {letters:Array(Tuple(String, UInt32))}",
                {
                    "now": self._clock.now_ms(),
                    "letters": [
                        (placed.row_id.segment_id.removeprefix(REPLAYED), placed.row_id.segment_row) for placed in kept
                    ],
                },
            )
        return len(events) - len(kept)


def _replayed_id(letter: Mapping[str, Any]) -> RowId:
    return RowId(segment_id=f"{REPLAYED}{letter['segment_id']}", segment_row=letter["segment_row"])


def _forgive_missing_agent(row: EventRow) -> None:
    """A letter does not hold the request's headers: what is not in it may have been there."""
    row.fraud_reasons[:] = [reason for reason in row.fraud_reasons if reason != FraudReason.MISSING_AGENT]
    row.is_fraud = int(bool(row.fraud_reasons))


def _keeps_its_id(_event: RawEvent) -> str:
    raise AssertionError("a letter has its event's id")
