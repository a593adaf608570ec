"""The ordinary call: from its bytes to its answer in one function.

Most calls are such, and what one costs is mostly the code around its judging. The stations are those of every call, in
another order only where no one can tell: opened, let in (`rpc.access`), judged (the compiled way), the site's quota
taken, kept, counted, answered. Whatever is not plainly so goes the usual way as if nothing had been done, and is
answered there: a refusal, a rejection, a dry run, events of several sites, an event that is Python's, and whatever is
long or comes while others have their turn (`rpc.turns`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import DecodeError

from qrumb_server.model import Rejected, Source, StampedEvent
from qrumb_server.pipeline.stamp import Arrival
from qrumb_server.rpc.access import RULES, Access, Rule, typed_method
from qrumb_server.rpc.caller import is_from_gateway, read_caller
from qrumb_server.rpc.compiled_calls import AT_ONCE_BYTES, Compiled
from qrumb_server.rpc.json_answers import as_body, as_lists
from qrumb_server.rpc.json_collector import asks_for_dry_run
from qrumb_server.rpc.json_opening import JSON_KINDS
from qrumb_server.rpc.metrics import AppendRecords
from qrumb_server.rpc.turns import SHORT_BYTES, Turns
from qrumb_server.rpc.wrappers import Context, Method, Unary

__all__ = ["AtOnce"]

_COLLECTOR: Final = "/qrumb.v1.CollectorService/"
_SOURCES: Final[Mapping[str, Source]] = {
    _COLLECTOR + "CollectBrowserEvent": Source.BROWSER,
    _COLLECTOR + "CollectServerEvent": Source.SERVER,
    _COLLECTOR + "BatchCollectBrowserEvents": Source.BROWSER,
    _COLLECTOR + "BatchCollectServerEvents": Source.SERVER,
}
_NO_VERDICTS: Final[Sequence[StampedEvent | Rejected]] = ()


class _Kind(NamedTuple):
    rule: Rule
    source: Source
    is_batch: bool
    is_json: bool


class AtOnce:
    """Stands around the usual opening of the methods that take events in one message.

    Args:
        compiled: opens and judges.
        access: lets in; the same as on the usual way.
        append, new_arrival, count: as `Collector` has them.
    """

    def __init__(
        self,
        *,
        compiled: Compiled,
        access: Access,
        append: AppendRecords,
        new_arrival: Callable[[], Arrival],
        turns: Turns,
        count: Callable[[Sequence[StampedEvent | Rejected], Mapping[str, int]], None],
    ) -> None:
        self._compiled = compiled
        self._access = access
        self._append = append
        self._new_arrival = new_arrival
        self._turns = turns
        self._count = count

    def around(self, method: Method, usual: Unary) -> Unary:
        """The same for a method of another kind."""
        typed = typed_method(method.name)
        source = _SOURCES.get(typed)
        if source is None:
            return usual
        kind = _Kind(RULES[typed], source, typed.startswith(_COLLECTOR + "Batch"), method.name in JSON_KINDS)
        turns = self._turns

        async def short(request: bytes, context: Context) -> Any:
            if (judged := self._judge(kind, request, context)) is None:
                return await usual(request, context)
            turns.begin_short_call()
            try:
                return await self._keep(*judged)
            finally:
                turns.end_short_call()

        async def at_once(request: bytes, context: Context) -> Any:
            if len(request) <= SHORT_BYTES:
                return await short(request, context)
            if len(request) > AT_ONCE_BYTES or not turns.is_free():
                return await usual(request, context)
            begun = turns.clock()
            judged = self._judge(kind, request, context)
            turns.has_worked(begun)
            return await (usual(request, context) if judged is None else self._keep(*judged))

        return at_once

    async def _keep(self, records: Sequence[bytes], answer: bytes, site_id: str) -> bytes:
        await self._append(records, (site_id,) * len(records))
        self._count(_NO_VERDICTS, {site_id: len(records)})
        return answer

    def _judge(self, kind: _Kind, request: bytes, context: Context) -> tuple[Sequence[bytes], bytes, str] | None:
        """Records, answer and site of what is let in and accepted."""
        rule, source, is_batch, is_json = kind
        if is_json:
            if not is_from_gateway(context) or asks_for_dry_run(context):
                return None
            try:
                request = HttpBody.FromString(request).data
            except DecodeError:
                return None
        opened = self._compiled.open_at_once(request, source, is_batch=is_batch, is_json=is_json)
        if opened is None or not self._access.lets_in(rule, opened[1], context):
            return None
        call, site_id = opened
        judged = self._compiled.judge_at_once(
            call, site_id, read_caller(context), self._new_arrival(), source, is_json=is_json
        )
        if judged is None or not self._access.takes(rule, site_id, len(call)):
            return None
        records, receipts = judged
        if not is_json:
            return records, b"".join(receipts), site_id
        if is_batch:
            return records, as_lists({"receipts": receipts, "rows": ()}, {}), site_id
        return records, as_body(b'{"receipt":', receipts[0], b"}"), site_id
