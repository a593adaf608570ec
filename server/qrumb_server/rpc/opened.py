"""A request that carries events, opened: what the servicers and the access rules see in place of what was sent."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from qrumb_server.model import Reading
from qrumb_server.rpc.compiled_calls import CompiledCall

__all__ = ["Opened"]


@dataclass(slots=True, kw_only=True)
class Opened:
    """A request in place of the contract's own, with the fields of all its forms.

    Nothing changes one; it is not frozen, because making a frozen one takes three times as long, for every call.
    """

    events: list[Any] = field(default_factory=list)
    """BrowserEvent, ServerEvent or ScanSession, by the method."""
    size: int
    """Bytes of the message."""
    validate_only: bool = False
    oversizes: Mapping[int, int] = field(default_factory=dict)
    """Bytes of events that are larger than allowed, by index; such a message has only its short fields."""

    readings: list[Reading] = field(default_factory=list)
    """What the JSON of each event had to say beside its message; none over gRPC."""
    is_refused: bool = False
    """The JSON of the whole could not be read; the one event stands for it."""

    compiled: CompiledCall | None = None
    """The same call on the compiled way, in place of its events."""

    @property
    def sites(self) -> Mapping[str, int]:
        """How many events each site has."""
        return self.compiled.sites if self.compiled else Counter(event.site_id for event in self.events)

    @property
    def number(self) -> int:
        """How many events there are."""
        return self.compiled.number if self.compiled else len(self.events)

    def sent(self, place: int) -> tuple[Any, Reading | None]:
        """The event at a place, and what its JSON had to say beside."""
        if self.compiled:
            return self.compiled.sent(place)
        return self.events[place], self.readings[place] if self.readings else None

    def as_dry_run(self) -> "Opened":
        """The same, to be judged only."""
        return replace(self, validate_only=True)

    def let_go(self) -> Iterator[None]:
        """Free what was read, event by event, when all is said: a batch may hold 300,000 names that are not fields."""
        for held in (self.events, self.readings):
            while held:
                del held[-1]
                yield
        if self.compiled:
            yield from self.compiled.let_go()

    @property
    def event(self) -> Any:
        """The one of a call that takes one."""
        return self.events[0]

    @property
    def scan_sessions(self) -> Sequence[Any]:
        """The same, in calls about sessions."""
        return self.events

    @property
    def scan_session(self) -> Any:
        """The one of a call that takes one."""
        return self.events[0]
