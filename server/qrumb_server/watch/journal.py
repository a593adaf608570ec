"""What is on and what is still to be told, kept in a file so that a restart tells nothing twice and forgets nothing.

The file is written before a message is sent and after it was taken: one that is sent again has the same id.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self
from uuid import uuid4

import msgspec
import structlog

__all__ = ["Alarm", "Journal", "Message", "time_text"]

log = structlog.get_logger()

FILE: Final = "watch.json"


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

    @classmethod
    def of(cls, kind: str, now_ms: int, **data: str) -> Self:
        """About a site: `watch.began`, `watch.ended` or `watch.test`. Names and numbers, nothing of a visitor."""
        body = {"type": kind, "timestamp": time_text(now_ms), "data": {key: said for key, said in data.items() if said}}
        text = json.dumps(body, ensure_ascii=False)
        return cls(id=f"msg_{uuid4().hex}", site_id=data["site_id"], body=text, made_ms=now_ms)


@dataclass(slots=True, kw_only=True)
class Alarm:
    """A cause that was told and has not ended."""

    site_id: str
    rule: str
    qr_code_id: str
    began_ms: int


@dataclass(slots=True, kw_only=True)
class _Kept:
    alarms: list[Alarm] = field(default_factory=list)
    waiting: list[Message] = field(default_factory=list)


class Journal:
    """The file in the data folder. `save` raises OSError where it cannot be written."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE
        kept = _read(self._path)
        self.alarms = {(one.site_id, one.rule, one.qr_code_id): one for one in kept.alarms}
        self.waiting = kept.waiting

    def save(self) -> None:
        """Replace the file as a whole."""
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(_Kept(alarms=list(self.alarms.values()), waiting=self.waiting)))
        fresh.replace(self._path)


def time_text(time_ms: int) -> str:
    """RFC 3339, UTC, to the second."""
    return datetime.fromtimestamp(time_ms // 1000, UTC).isoformat().replace("+00:00", "Z")


def _read(path: Path) -> _Kept:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept)
    except FileNotFoundError:
        return _Kept()
    except (OSError, msgspec.MsgspecError) as error:
        log.error("watch_not_read", file=str(path), error=type(error).__name__, begins_anew=True)
        return _Kept()
