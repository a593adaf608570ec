"""What was told of the sites' `watch` rules, as the loader whose turn it is keeps it (`watch/journal.py`)."""

from dataclasses import dataclass, field
from typing import Final

import msgspec
import structlog

from qrumb.v1 import query_service_pb2 as pb
from qrumb_server.instants import timestamp
from qrumb_server.query.reads import Reader

__all__ = ["WATCHERS", "Alarm", "Kept", "Message", "list_alarms", "read_kept"]

log = structlog.get_logger()

WATCHERS: Final = "events.watchers"
_NEWEST: Final = f"SELECT state, state_version FROM {WATCHERS} ORDER BY state_version DESC LIMIT 1"  # noqa: S608


@dataclass(slots=True, kw_only=True)
class Message:
    """One webhook that its receiver has not taken yet."""

    id: str
    site_id: str
    body: str
    made_ms: int
    tries: int = 0
    due_ms: int = 0
    failure: str = ""
    """Why it was not taken the last time."""


@dataclass(slots=True, kw_only=True)
class Alarm:
    """A cause that was told and has not ended."""

    site_id: str
    rule: str
    qr_code_id: str
    began_ms: int
    text: str = ""
    """As it was told."""


@dataclass(slots=True, kw_only=True)
class Kept:
    """All of it."""

    alarms: list[Alarm] = field(default_factory=list)
    waiting: list[Message] = field(default_factory=list)


def read_kept(store: Reader) -> tuple[Kept, int]:
    """The newest, and its version. Raises StoreError; what cannot be read counts as nothing."""
    for row in store.query(_NEWEST, {}):
        try:
            kept = msgspec.json.decode(row["state"], type=Kept) if row["state"] else Kept()
        except msgspec.MsgspecError as error:
            log.error("watch_not_read", error=type(error).__name__, begins_anew=True)
            kept = Kept()
        return kept, row["state_version"]
    return Kept(), 0


def list_alarms(store: Reader, site_id: str) -> pb.ListAlarmsResponse:
    """Those of a site, the longest first. Raises StoreError."""
    kept, _version = read_kept(store)
    waiting = [one for one in kept.waiting if one.site_id == site_id]
    return pb.ListAlarmsResponse(
        alarms=[
            pb.Alarm(rule=one.rule, qr_code_id=one.qr_code_id, text=one.text, began_time=timestamp(one.began_ms))
            for one in sorted(kept.alarms, key=lambda one: (one.began_ms, one.rule, one.qr_code_id))
            if one.site_id == site_id
        ],
        waiting_message_count=len(waiting),
        failure=next((one.failure for one in waiting if one.failure), ""),
    )
