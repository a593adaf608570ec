"""The ordinary call: from its bytes to its answer in one function.

Most calls are such, and what one costs is mostly the code around its judging. The stations are those of every call, in
another order only where no one can tell: let in (`rpc.access`), opened and judged (the compiled way), the site's quota
taken, kept, counted, answered. What does not vary from call to call is not worked out anew: what a key or an origin
opens counts until sites.toml is looked at again, a second at most, and what was looked up of a caller for an epoch of
addresses. Whatever is not plainly ordinary goes the usual way as if nothing had been done, and is answered there: a
refusal, a rejection, a dry run, events of several sites, an event that is Python's, and whatever is long or comes while
others have their turn (`rpc.turns`).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import DecodeError

from qrumb_server.access.keys import Scope
from qrumb_server.model import Rejected, Source, StampedEvent
from qrumb_server.pipeline.stamp import Arrival
from qrumb_server.rpc.access import RULES, Access, Rule, typed_method
from qrumb_server.rpc.caller import CALLER_KEYS, is_from_gateway, read_caller, stated_by
from qrumb_server.rpc.compiled_calls import AT_ONCE_BYTES, AT_ONCE_JSON_BYTES, EPOCH_MS, Compiled, new_event_ids
from qrumb_server.rpc.json_answers import as_body, as_lists
from qrumb_server.rpc.json_collector import ORIGINAL_PATH, asks_for_dry_run
from qrumb_server.rpc.json_opening import JSON_KINDS
from qrumb_server.rpc.metrics import AppendRecords
from qrumb_server.rpc.turns import SHORT_BYTES, Turns
from qrumb_server.rpc.wrappers import Context, Method, Unary

if TYPE_CHECKING:
    from qrumb_hotpath import Caller as KnownCaller
    from qrumb_hotpath import Site

__all__ = ["AtOnce"]

_COLLECTOR: Final = "/qrumb.v1.CollectorService/"
_SOURCES: Final[Mapping[str, Source]] = {
    _COLLECTOR + "CollectBrowserEvent": Source.BROWSER,
    _COLLECTOR + "CollectServerEvent": Source.SERVER,
    _COLLECTOR + "BatchCollectBrowserEvents": Source.BROWSER,
    _COLLECTOR + "BatchCollectServerEvents": Source.SERVER,
}
_NO_VERDICTS: Final[Sequence[StampedEvent | Rejected]] = ()
# Callers, and keys and origins, that are remembered: all of them can be made up.
MAX_KNOWN: Final = 10_000
# Characters of what one of them states. The longest agents of browsers have some 400; a gateway passes on 16 KiB.
MAX_STATED: Final = 1_024
_Stated = tuple[str | None, ...]


class _Kind(NamedTuple):
    rule: Rule
    source: Source
    is_batch: bool
    is_json: bool
    form: tuple[bool, bool, bool]
    """As the compiled way is told."""


class _LetIn:
    """What a key or an origin opens: the sites that were asked for so far, and what takes from the quota of each."""

    __slots__ = ("sites", "take")

    def __init__(self) -> None:
        self.sites: dict[str, Site] = {}
        self.take: dict[str, Callable[[int], float]] = {}


class AtOnce:
    """Stands around the usual opening of the methods that take events in one message.

    Args:
        compiled: opens and judges.
        access: lets in; the same as on the usual way.
        looks: `SiteRegistry.looks`; what `access` says counts until there is another.
        append, new_arrival, count: as `Collector` has them.
        now_ms: the time of an arrival.
    """

    def __init__(
        self,
        *,
        compiled: Compiled,
        access: Access,
        looks: Callable[[], int],
        append: AppendRecords,
        new_arrival: Callable[[], Arrival],
        now_ms: Callable[[], int],
        turns: Turns,
        count: Callable[[Sequence[StampedEvent | Rejected], Mapping[str, int]], None],
    ) -> None:
        self._compiled = compiled
        self._judge_whole = compiled.at_once
        self._access = access
        self._looks = looks
        self._append = append
        self._new_arrival = new_arrival
        self._now_ms = now_ms
        self._turns = turns
        self._count = count
        self._let_in: dict[tuple[Scope | None, str | None], _LetIn] = {}
        self._looks_then = -1
        self._callers: dict[_Stated, KnownCaller] = {}
        self._epoch = -1

    def around(self, method: Method, usual: Unary) -> Unary:
        """The same for a method of another kind."""
        typed = typed_method(method.name)
        source = _SOURCES.get(typed)
        if source is None:
            return usual
        is_batch, is_json = typed.startswith(_COLLECTOR + "Batch"), method.name in JSON_KINDS
        kind = _Kind(RULES[typed], source, is_batch, is_json, (source is Source.SERVER, is_batch, is_json))
        turns, longest = self._turns, AT_ONCE_JSON_BYTES if is_json else AT_ONCE_BYTES

        async def at_once(request: bytes, context: Context) -> Any:
            is_short = len(request) <= SHORT_BYTES
            judged = None
            if is_short:
                judged = self._judge(kind, request, context)
            elif len(request) <= longest and turns.is_free():
                begun = turns.clock()
                judged = self._judge(kind, request, context)
                turns.has_worked(begun)
            if judged is None:
                return await usual(request, context)
            records, sites, answer = judged
            if is_short:
                turns.begin_short_call()
            try:
                await self._append(records, sites)
            finally:
                if is_short:
                    turns.end_short_call()
            self._count(_NO_VERDICTS, {sites[0]: len(sites)})
            return answer

        return at_once

    def _judge(self, kind: _Kind, request: bytes, context: Context) -> tuple[list[bytes], list[str], bytes] | None:
        """Records, their sites, which are one, and the answer, of what is let in and accepted."""
        stated, by_gateway = stated_by(context), is_from_gateway(context)
        if kind.is_json:
            if not by_gateway or ("?" in stated.get(ORIGINAL_PATH, "") and asks_for_dry_run(context)):
                return None
            try:
                request = HttpBody.FromString(request).data
            except DecodeError:
                return None
        now_ms = self._now_ms()
        caller = self._caller(
            tuple(map(stated.get, CALLER_KEYS)) if by_gateway else (stated.get("user-agent"),), context, now_ms
        )
        opens = stated.get("authorization") if kind.rule.scope else stated.get("origin") or stated.get("referer")
        let_in = self._let_in_by(kind.rule.scope, opens)
        moment = now_ms, self._epoch, partial(self._new_event_id, kind.source, context)
        judged = self._judge_whole(request, kind.form, caller, let_in.sites, moment)
        if judged is None and self._lets_in(kind, request, let_in, context):
            judged = self._judge_whole(request, kind.form, caller, let_in.sites, moment)
        if judged is None:
            return None
        records, receipts, sites = judged
        if let_in.take[sites[0]](len(sites)):
            return None
        if not kind.is_json:
            return records, sites, b"".join(receipts)
        if kind.is_batch:
            return records, sites, as_lists({"receipts": receipts, "rows": ()}, {})
        return records, sites, as_body(b'{"receipt":', receipts[0], b"}")

    def _caller(self, known_by: _Stated, context: Context, now_ms: int) -> "KnownCaller":
        """Looked up once in an epoch."""
        epoch = now_ms // EPOCH_MS
        if epoch != self._epoch or len(self._callers) >= MAX_KNOWN:
            self._epoch = epoch
            self._callers.clear()
        caller = self._callers.get(known_by)
        if caller is None:
            caller = self._compiled.known_caller(read_caller(context), self._new_arrival())
            if _length(known_by) <= MAX_STATED:
                self._callers[known_by] = caller
        return caller

    def _let_in_by(self, scope: Scope | None, opens: str | None) -> _LetIn:
        """What was let in by a key or an origin since sites.toml was looked at."""
        looks = self._looks()
        if looks != self._looks_then or len(self._let_in) >= MAX_KNOWN:
            self._looks_then = looks
            self._let_in.clear()
        let_in = self._let_in.get((scope, opens))
        if let_in is None:
            let_in = _LetIn()
            if _length((opens,)) <= MAX_STATED:
                self._let_in[scope, opens] = let_in
        return let_in

    def _lets_in(self, kind: _Kind, request: bytes, let_in: _LetIn, context: Context) -> bool:
        """Whether a site is let in that was not asked for before."""
        site_id = self._compiled.only_site(request, kind.source, is_batch=kind.is_batch, is_json=kind.is_json)
        if site_id is None or site_id in let_in.sites or not self._access.lets_in(kind.rule, site_id, context):
            return False
        site = self._compiled.site(site_id, self._new_arrival())
        if site is None:
            return False
        let_in.sites[site_id] = site
        let_in.take[site_id] = self._access.quota_of(kind.rule, site_id)
        return True

    def _new_event_id(self, source: Source, context: Context, index: int) -> str:
        return new_event_ids(self._new_arrival(), source, read_caller(context))(index)


def _length(stated: _Stated) -> int:
    return sum(map(len, filter(None, stated)))
