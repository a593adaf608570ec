"""How the node is doing: for everybody as StatusService, for the node's own commands as NodeService.

What ClickHouse said, word by word, is for the commands alone: it names hosts and users.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import grpc
import structlog

from qrumb.v1 import status_service_pb2 as pb
from qrumb.v1.status_service_pb2_grpc import StatusServiceServicer
from qrumb_server import __version__
from qrumb_server.instants import set_time
from qrumb_server.ports import Clock
from qrumb_server.reasons import calls
from qrumb_server.rpc.faults import RequestFault
from qrumb_server.supervise.child import Child
from qrumb_server.supervise.condition import READY, Assessment, Facts, assess, sites_turned_away
from qrumb_server.supervise.process import Peer
from qrumb_server.supervise.pulse import Pulses
from qrumb_server.supervise.spool_watch import SpoolLook, SpoolWatch, bounded_by_shares
from qrumb_server.wire.v1.node_service_pb2 import DescribeNodeRequest, DescribeNodeResponse
from qrumb_server.wire.v1.node_service_pb2_grpc import NodeServiceServicer
from qrumb_server.wire.v1.process_service_pb2 import GetCollectingResponse, GetLoadingResponse

__all__ = ["NodeDescriptions", "NodeStatus", "NodeWatch"]

log = structlog.get_logger()

LOADER: Final = "loader"
Context = grpc.aio.ServicerContext[Any, Any]


class NodeWatch:
    """Collects the facts of a node and assesses them.

    Args:
        collectors: the workers, by where each is asked.
        others: loader and gateway, as they are at the time.
        loader: where the loader is asked.
        pulses: what they say unasked.
        publish: told the condition with each description: who has read it finds nothing older elsewhere.
        is_sites_file_broken: whether an earlier state of sites.toml counts.
    """

    def __init__(
        self,
        *,
        collectors: Mapping[Peer, Child],
        others: Callable[[], list[Child]],
        loader: Peer,
        pulses: Pulses,
        spool: SpoolWatch,
        clock: Clock,
        publish: Callable[[pb.GetStatusResponse.Condition], Awaitable[None]],
        is_sites_file_broken: Callable[[], bool] = lambda: False,
    ) -> None:
        self._publish = publish
        self._is_sites_file_broken = is_sites_file_broken
        self._collectors = collectors
        self._others = others
        self._loader = loader
        self._pulses = pulses
        self._spool = spool
        self._clock = clock
        self.is_stopping = False
        self._said: pb.GetStatusResponse.Condition | None = None

    async def facts(self) -> Facts:
        """What is known now. Each part stands alone: what cannot be looked at is a reason, never an error."""
        loading, collecting, look = await asyncio.gather(
            self._loader.loading(), self._ask_collectors(), self._spool.look()
        )
        for name, answer in {LOADER: loading, **collecting}.items():
            if answer is not None:
                self._pulses.learn(name, answer)
        return self._facts(loading, collecting, look)

    async def assess_as_heard(self) -> Assessment:
        """By what was heard; where the condition has changed since the last time, the log says so and why.

        Not before the node was ready for the first time, nor while it stops.
        """
        assessment = assess(await self.facts_as_heard())
        condition = assessment.condition
        if condition != self._said and not self.is_stopping and (self._said is not None or condition == READY):
            if self._said is not None:
                tell = log.info if condition == READY else log.warning
                name = pb.GetStatusResponse.Condition.Name(condition)
                tell("node_condition", condition=name, reasons=list(assessment.reasons))
            self._said = condition
        return assessment

    async def facts_as_heard(self) -> Facts:
        """The same of a moment ago, where all have said it by themselves: for what looks each second."""
        loading = self._pulses.last(LOADER)
        serving = [child.spec.name for child in self._collectors.values() if child.serving]
        heard = {name: pulse.collecting for name in serving if (pulse := self._pulses.last(name)) is not None}
        if loading is None or len(heard) < len(serving):
            return await self.facts()
        return self._facts(loading.loading, heard, await self._spool.look_if_stirred())

    def _facts(
        self, loading: GetLoadingResponse | None, collecting: Mapping[str, GetCollectingResponse], look: SpoolLook
    ) -> Facts:
        return Facts(
            is_stopping=self.is_stopping,
            collectors={child.spec.name: child.state for child in self._collectors.values()},
            others={child.spec.name: child.state for child in self._others()},
            loading=loading,
            collecting=collecting,
            spool=bounded_by_shares(look, [said.forecast_factor for said in collecting.values()]),
            is_sites_file_broken=self._is_sites_file_broken(),
        )

    async def _ask_collectors(self) -> dict[str, GetCollectingResponse]:
        """What each worker that serves says, by its name."""
        serving = {peer: child for peer, child in self._collectors.items() if child.serving}
        said = await asyncio.gather(*(peer.collecting() for peer in serving))
        return {child.spec.name: one for child, one in zip(serving.values(), said, strict=True) if one is not None}

    async def describe(self) -> tuple[pb.GetStatusResponse, Assessment, Facts]:
        """The status, what it was assessed by, and the facts."""
        facts = await self.facts()
        assessment = assess(facts)
        await self._publish(assessment.condition)
        look = facts.spool
        status = pb.GetStatusResponse(
            condition=assessment.condition,
            reasons=assessment.reasons,
            processes=[
                pb.ProcessStatus(name=child.spec.name, serving=child.serving, restart_count=child.restart_count)
                for child in (*self._collectors.values(), *self._others())
            ],
            spool_bytes=look.usage.total_bytes,
            oldest_segment_seconds=look.usage.oldest_age.total_seconds() if look.usage.oldest_age else 0.0,
            version=__version__,
            spool_limit_bytes=look.limit_bytes,
            spool_segments=look.usage.sealed_segments,
            spool_rows=look.usage.sealed_rows,
            full_in_seconds=look.full_in.total_seconds() if look.full_in else 0.0,
            quarantined_segments=look.usage.quarantined_segments,
            free_disk_bytes=look.free_bytes,
        )
        if facts.loading is not None:
            self._add_loading(status, facts.loading)
        return status, assessment, facts

    def _add_loading(self, status: pb.GetStatusResponse, said: GetLoadingResponse) -> None:
        loading = status.loading
        loading.store_available = not said.store_error
        loading.store_error_code = said.store_error_code
        loading.rows_per_second = said.rows_per_second
        if said.last_received_time_ms:
            set_time(loading.last_received_time, said.last_received_time_ms)
        if status.spool_segments and said.last_received_time_ms:
            loading.lag_seconds = max(self._clock.now_ms() - said.last_received_time_ms, 0) / 1000
        elif status.spool_segments:
            # Nothing was loaded since the loader's start: as far behind as the oldest that waits.
            loading.lag_seconds = status.oldest_segment_seconds


class NodeStatus(StatusServiceServicer):
    """StatusService: READY, DEGRADED with reasons, or UNAVAILABLE with them."""

    def __init__(self, watch: NodeWatch) -> None:
        self._watch = watch

    async def GetStatus(self, request: pb.GetStatusRequest, context: Context) -> pb.GetStatusResponse:
        """How this node is doing."""
        status, assessment, _facts = await self._watch.describe()
        if assessment.cause:
            raise RequestFault(calls.NOT_READY[assessment.cause], reasons="; ".join(assessment.reasons))
        return status


class NodeDescriptions(NodeServiceServicer):
    """NodeService: the same, NOT_READY included, and what ClickHouse said."""

    def __init__(self, watch: NodeWatch, *, is_compiled: bool) -> None:
        self._watch = watch
        self._is_compiled = is_compiled

    async def DescribeNode(self, request: DescribeNodeRequest, context: Context) -> DescribeNodeResponse:
        """How this node is doing."""
        status, _assessment, facts = await self._watch.describe()
        at_share, over_quota = sites_turned_away(facts)
        return DescribeNodeResponse(
            status=status,
            store_error=facts.loading.store_error if facts.loading else "",
            sites_at_share=sorted(at_share),
            sites_over_quota=sorted(over_quota),
            compiled=self._is_compiled,
        )
