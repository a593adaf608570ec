"""The compiled way of a call (`qrumb_hotpath`, built from server/hotpath): opened, let in and judged as bytes.

It takes ordinary events only. Whatever it leaves is opened or judged by Python in the same call, in its place among the
answers, so that the two ways look alike from outside; without the package, Python does it all.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb_server.model import Caller, RawEvent, Reading, SitePolicy, Source
from qrumb_server.pipeline.compiled_rules import Circumstances, described, look_up, rules, site_rules, visitor
from qrumb_server.pipeline.context_fields import is_ip
from qrumb_server.pipeline.stamp import Arrival
from qrumb_server.reading.body import read_item
from qrumb_server.reading.event import MESSAGES, ReadEvent
from qrumb_server.reading.usual import CONSENTS
from qrumb_server.rpc.json_answers import accepted_form
from qrumb_server.rpc.turns import Turns

if TYPE_CHECKING:
    from qrumb_hotpath import Call, Judge, Site
    from qrumb_hotpath import Caller as KnownCaller
else:
    try:
        from qrumb_hotpath import Call, Judge, Site
        from qrumb_hotpath import Caller as KnownCaller
    except ImportError:
        Judge = None

__all__ = ["AT_ONCE_BYTES", "AT_ONCE_JSON_BYTES", "EPOCH_MS", "Compiled", "CompiledCall", "JudgedCall", "new_event_ids"]

# Bytes that are read or judged in one step: some 0.1 ms.
STEP_BYTES: Final = 16 * 1024
# A call up to this is read and judged in one step, no longer than a slice may be: a hundred events of the usual size,
# which take half as much again in JSON.
AT_ONCE_BYTES: Final = 32 * 1024
AT_ONCE_JSON_BYTES: Final = 48 * 1024
# What is known of an address is looked up anew after so long: the databases may have been replaced, and its key
# changes with the day.
EPOCH_MS: Final = 60_000
# Sites of which it is remembered what they want.
MAX_SITES: Final = 10_000
_Step = tuple[list[bytes | None], list[bytes | None], list[str | None]]


@dataclass(slots=True)
class JudgedCall:
    """What became of the events of a call, in their order; each None until Python has judged what was left to it."""

    records: list[bytes | None]
    receipts: list[bytes | None]
    """Each as the field of a response, or as a JSON object."""
    sites: list[str | None]

    def add(self, records: list[bytes | None], receipts: list[bytes | None], sites: list[str | None]) -> None:
        """Those of the next events."""
        self.records += records
        self.receipts += receipts
        self.sites += sites

    @property
    def left(self) -> list[int]:
        """Places of the events that are Python's."""
        if None not in self.records:
            return []
        return [index for index, record in enumerate(self.records) if record is None]

    @property
    def accepted(self) -> Mapping[str, int]:
        """How many events of each site were accepted here."""
        numbers: dict[str, int] = {}
        for site_id in self.sites:
            if site_id is not None:
                numbers[site_id] = numbers.get(site_id, 0) + 1
        return numbers

    def whole(self) -> tuple[list[bytes], list[bytes], list[str]]:
        """The same, where nothing is left."""
        return cast(list[bytes], self.records), cast(list[bytes], self.receipts), cast(list[str], self.sites)


@dataclass(slots=True, kw_only=True)
class CompiledCall:
    """A call of which every event was read, or can be decoded. Made for every call, so not frozen, as `Opened` says."""

    way: "Compiled"
    call: "Call"
    source: Source
    size: int
    is_json: bool
    read: dict[int, ReadEvent] = field(default_factory=dict)
    """Events that Python has read, by their places: JSON that is unusual."""
    _sites: dict[str, int] | None = None

    @property
    def number(self) -> int:
        """How many events there are."""
        return len(self.call)

    def sent(self, place: int) -> tuple[BrowserEvent | ServerEvent, Reading | None]:
        """An event for Python to judge."""
        if self.is_json:
            return self.read.get(place) or read_item(self.call.event(place), self.source)
        return MESSAGES[self.source].FromString(self.call.event(place)), None

    def let_go(self) -> Iterator[None]:
        """Free what Python has read, event by event."""
        while self.read:
            self.read.popitem()
            yield

    @property
    def sites(self) -> Mapping[str, int]:
        """How many events each site has. Once all are read."""
        if self._sites is None:
            sites = self._sites = self.call.sites()
            for read in self.read.values():
                sites[read.message.site_id] = sites.get(read.message.site_id, 0) + 1
        return self._sites

    async def judge(self, caller: Caller, arrival: Arrival) -> JudgedCall:
        """Judge all of them."""
        return await self.way.judge(self, caller, arrival)


class Compiled:
    """One for a process.

    Args:
        turns: shared with what else works on events.

    Raises:
        TypeError: the package is not there.
    """

    def __init__(self, *, turns: Turns, max_event_bytes: int, max_batch_events: int) -> None:
        self._turns = turns
        self._judge = Judge(
            rules(
                max_event_bytes=max_event_bytes,
                max_batch_events=max_batch_events,
                consent_names=CONSENTS,
                receipt_form=accepted_form(),
            )
        )
        self.at_once = self._judge.at_once
        """A whole call of ordinary events in one step."""
        self._sites: dict[str, tuple[SitePolicy, int, Site]] = {}

    async def open(
        self, request: bytes, source: Source, *, is_batch: bool, is_json: bool = False
    ) -> CompiledCall | None:
        """The call of a request; None where Python has to open it.

        Of JSON the events that `CompiledCall.call.unread` names are for Python to read, and nothing is said of the
        form of those.
        """
        call = self._judge.open(request, source is Source.SERVER, is_batch, is_json)
        try:
            if not call.read(STEP_BYTES):
                await self._turns.run(_read(call), size=len(request))
        except ValueError:
            return None
        return CompiledCall(way=self, call=call, source=source, size=len(request), is_json=is_json)

    def only_site(self, request: bytes, source: Source, *, is_batch: bool, is_json: bool) -> str | None:
        """The site of all events of a call, as far as they can be read here."""
        call = self._judge.open(request, source is Source.SERVER, is_batch, is_json)
        try:
            call.read(len(request) + 1)
        except ValueError:
            return None
        sites = call.sites()
        return next(iter(sites)) if len(sites) == 1 else None

    def known_caller(self, caller: Caller, arrival: Arrival) -> "KnownCaller":
        """With what was looked up of it; until the next epoch."""
        return KnownCaller(visitor(caller, arrival.received_time_ms, arrival.enrichers))

    def site(self, site_id: str, arrival: Arrival) -> "Site | None":
        """What a site wants, as it is now; made anew where its policy is another. None: it has plans, Python's."""
        policy = arrival.enrichers.policy(site_id)
        if policy.plans:
            return None
        known = self._sites.get(site_id)
        if known is None or known[0] is not policy or known[1] != arrival.retention_ms:
            if len(self._sites) >= MAX_SITES:  # names can be made up
                self._sites.clear()
            made = Site(site_rules(site_id, policy, arrival.retention_ms))
            known = self._sites[site_id] = policy, arrival.retention_ms, made
        return known[2]

    async def judge(self, opened: CompiledCall, caller: Caller, arrival: Arrival) -> JudgedCall:
        """Judge all events of a call."""
        call = opened.call
        sites = {site_id: self.site(site_id, arrival) for site_id in opened.sites}
        if None in sites.values():
            nothing: list[None] = [None] * len(call)
            return JudgedCall(records=[*nothing], receipts=[*nothing], sites=[*nothing])
        agents, addresses = self._judge.lacking(call, arrival.received_time_ms // EPOCH_MS)
        if agents or addresses:
            await self._turns.run(self._learn(agents, addresses, arrival), size=opened.size)
        at = Circumstances(
            received_time_ms=arrival.received_time_ms,
            caller=self.known_caller(caller, arrival),
            sites=sites,
            new_event_id=new_event_ids(arrival, opened.source, caller),
        )
        judged = JudgedCall(*self._judge.judge(call, at, STEP_BYTES))
        if len(judged.records) < len(call):
            for step in await self._turns.run(self._rest(call, at, len(judged.records)), size=opened.size):
                judged.add(*step)
        return judged

    def _learn(self, agents: Iterable[str], addresses: Iterable[str], arrival: Arrival) -> Iterator[None]:
        """Look up what the events of a call state of their visitors, one after another."""
        for text in agents:
            self._judge.learn_agent(text, described(text))
            yield
        for text in addresses:
            if is_ip(text):  # else its sender is warned, by Python
                self._judge.learn_address(text, look_up(text, arrival.received_time_ms, arrival.enrichers))
            yield

    def _rest(self, call: "Call", at: Circumstances, judged: int) -> Iterator[_Step]:
        while judged < len(call):
            step = self._judge.judge(call, at, STEP_BYTES)
            judged += len(step[0])
            yield step


def _read(call: "Call") -> Iterator[None]:
    while not call.read(STEP_BYTES):
        yield


def new_event_ids(arrival: Arrival, source: Source, caller: Caller) -> Callable[[int], str]:
    """Names the events of a call by their places."""

    def new_event_id(index: int) -> str:
        event = RawEvent(source=source, message=MESSAGES[source](), caller=caller, index=index)
        return arrival.make_event_id(event)

    return new_event_id
