"""What is on and what is still to be told, kept in the store, so that neither a restart nor another node tells anything
twice or forgets it.

It is written before a message is sent and after it was taken: one that is sent again has the same id.
"""

import json
from datetime import UTC, datetime
from uuid import uuid4

import msgspec

from qrumb_server.errors import StoreError
from qrumb_server.ports import Clock, EventStore
from qrumb_server.query.alarms import Alarm, Kept, Message, read_kept
from qrumb_server.watch.turn import LASTS_MS, Turn

__all__ = ["Journal", "new_message", "time_text"]


class Journal:
    """What this loader knows of it while it is its turn. Calls may raise a StoreError.

    Args:
        is_alone: no other loader uses the store.
        turn_ms: how long a turn lasts that is not renewed.
    """

    def __init__(self, store: EventStore, *, clock: Clock, is_alone: bool, turn_ms: int = LASTS_MS) -> None:
        self._store = store
        self._turn = Turn(
            store, clock=clock, is_alone=is_alone, lasts_ms=turn_ms, state=lambda: (self._text, self._version)
        )
        self._text, self._version = "", 0
        self._is_read = False
        self.alarms: dict[tuple[str, str, str], Alarm] = {}
        self.waiting: list[Message] = []

    def take_turn(self) -> bool:
        """Whether this loader may judge and tell; what is kept was read then."""
        if not self._turn.take():
            self._forget()
            return False
        if not self._is_read:
            kept, self._version = read_kept(self._store)
            self._use(kept)
            self._is_read = True
        return True

    @property
    def is_sure(self) -> bool:
        """Whether it still is its turn, without a look."""
        return self._turn.is_sure and self._is_read

    def leave(self) -> None:
        """Let another loader go on."""
        self._turn.leave()

    def read(self) -> Kept:
        """What is kept, whichever node has the turn."""
        if self.is_sure:
            return Kept(alarms=list(self.alarms.values()), waiting=list(self.waiting))
        return read_kept(self._store)[0]

    def save(self) -> None:
        """Keep it. Where that fails, what is kept is read anew before anything else happens."""
        self._text = msgspec.json.encode(Kept(alarms=list(self.alarms.values()), waiting=self.waiting)).decode()
        self._version += 1
        try:
            self._turn.write()
        except StoreError:
            self._forget()
            raise

    def _use(self, kept: Kept) -> None:
        self.alarms = {(one.site_id, one.rule, one.qr_code_id): one for one in kept.alarms}
        self.waiting = kept.waiting
        self._text = msgspec.json.encode(kept).decode()

    def _forget(self) -> None:
        self._is_read = False
        self.alarms, self.waiting = {}, []


def new_message(kind: str, now_ms: int, **data: str) -> Message:
    """About a site: `watch.began`, `watch.ended` or `watch.test`. Names and numbers, nothing of a visitor."""
    body = {"type": kind, "timestamp": time_text(now_ms), "data": {key: said for key, said in data.items() if said}}
    text = json.dumps(body, ensure_ascii=False)
    return Message(id=f"msg_{uuid4().hex}", site_id=data["site_id"], body=text, made_ms=now_ms)


def time_text(time_ms: int) -> str:
    """RFC 3339, UTC, to the second."""
    return datetime.fromtimestamp(time_ms // 1000, UTC).isoformat().replace("+00:00", "Z")
