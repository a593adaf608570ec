"""A node stops promptly, whatever is still connected to it."""

from pathlib import Path
from queue import SimpleQueue

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceStub
from qrumb.v1.server_event_pb2 import ServerEvent
from tests.support.patience import patient
from tests.support.stack import running_stack

pytestmark = pytest.mark.stack

EVENT = ServerEvent(site_id="stop", scan_session_id="s", event_name="lead")


def test_idle_streams_and_watches_do_not_hold_up_a_stop(tmp_path: Path) -> None:
    """Direct or through the gateway, what is open ends at once; senders are told to reconnect."""
    with running_stack(tmp_path / "data", QRUMB_RPC__DRAIN_TIMEOUT="PT10M") as node:
        targets = {"direct": node.grpc_target, "gateway": node.url.removeprefix("http://")}
        channels = {name: grpc.insecure_channel(target) for name, target in targets.items()}
        sent: dict[str, SimpleQueue[pb.StreamServerEventsRequest | None]] = {name: SimpleQueue() for name in targets}
        streams, watches = {}, {}
        for name, channel in channels.items():
            sent[name].put(pb.StreamServerEventsRequest(event=EVENT))
            streams[name] = CollectorServiceStub(channel).StreamServerEvents(
                iter(sent[name].get, None), timeout=patient(60)
            )
            assert len(next(streams[name]).receipts) == 1
            watches[name] = health_pb2_grpc.HealthStub(channel).Watch(
                health_pb2.HealthCheckRequest(), timeout=patient(60)
            )
            assert next(watches[name]).status == health_pb2.HealthCheckResponse.SERVING
        assert node.process is not None
        node.process.terminate()
        for name, stream in streams.items():
            with pytest.raises(grpc.RpcError) as ended:
                next(stream)
            assert ended.value.code() == grpc.StatusCode.UNAVAILABLE, name
            assert "open a new stream" in (ended.value.details() or ""), name
        for name, watch in watches.items():
            with pytest.raises(grpc.RpcError) as ended:
                assert [answer.status for answer in watch] in ([], [health_pb2.HealthCheckResponse.NOT_SERVING])
            assert ended.value.code() == grpc.StatusCode.UNAVAILABLE, name
        # A stream or watch that held up the stop would hold it up for the whole drain time.
        node.process.wait(patient(60))
        for name, channel in channels.items():
            sent[name].put(None)
            channel.close()
