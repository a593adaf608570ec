"""A bare grpc.aio server: decodes a call of the contract and answers its receipts, and does nothing else.

`python -m bench.echo ADDRESS...`, until it is ended. The contract's service and nothing of the server is used.
"""

import asyncio
import sys
from typing import Any

import grpc

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceServicer
from qrumb.v1.collector_service_pb2_grpc import add_CollectorServiceServicer_to_server as add_collector
from qrumb.v1.receipt_pb2 import EventReceipt

__all__ = ["Echo"]


def _receipt(event: Any) -> EventReceipt:
    return EventReceipt(event_id=event.event_id, outcome=EventReceipt.ACCEPTED)


class Echo(CollectorServiceServicer):
    """Every event is accepted."""

    async def CollectBrowserEvent(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """One event."""
        return pb.CollectBrowserEventResponse(receipt=_receipt(request.event))

    async def BatchCollectBrowserEvents(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Several events."""
        return pb.BatchCollectBrowserEventsResponse(receipts=[_receipt(event) for event in request.events])

    async def CollectServerEvent(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """One event."""
        return pb.CollectServerEventResponse(receipt=_receipt(request.event))

    async def BatchCollectServerEvents(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Several events."""
        return pb.BatchCollectServerEventsResponse(receipts=[_receipt(event) for event in request.events])


async def serve(addresses: list[str]) -> None:
    """Until it is ended."""
    server = grpc.aio.server()
    add_collector(Echo(), server)
    for address in addresses:
        server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1:]))
