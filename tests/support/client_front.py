"""A front that fails on command, for clients of every language: `python -m tests.support.client_front`.

It answers gRPC and JSON from the scripts of delivery.yaml and scans.yaml in clients/cases: a call's site_id, up to the
first dot, names its case. A control port says what arrived and stops and starts the listeners. It ends when its input
is closed.
"""

import contextlib
import json
import socket
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import yaml
from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceServicer, add_CollectorServiceServicer_to_server
from qrumb.v1.receipt_pb2 import EventReceipt, Violation
from qrumb.v1.scan_session_service_pb2 import BatchRegisterScanSessionsResponse
from qrumb.v1.scan_session_service_pb2_grpc import (
    ScanSessionServiceServicer,
    add_ScanSessionServiceServicer_to_server,
)

__all__ = ["CASES", "Front", "load_cases", "running_front"]

CASES = Path(__file__).resolve().parent.parent.parent / "clients" / "cases"
# As the gateway's transcoder maps them.
HTTP_STATUS = {
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "PERMISSION_DENIED": 403,
    "UNAUTHENTICATED": 401,
    "RESOURCE_EXHAUSTED": 429,
    "ABORTED": 409,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
}
Answer = dict[str, Any]
ID_FIELD = {"server": "event_id", "browser": "event_id", "scan": "scan_session_id"}
NAME_FIELD = {"server": "event_name", "browser": "event_type", "scan": "qr_code_id"}


def load_cases(name: str) -> list[dict[str, Any]]:
    """The cases of one file."""
    cases: list[dict[str, Any]] = yaml.load((CASES / f"{name}.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)
    return cases


class Script:
    """What arrived, and what is answered to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        cases = [*load_cases("delivery"), *load_cases("scans")]
        self._answers = {case["name"]: list(case.get("answers", [])) for case in cases}
        self._calls: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def record(self, kind: str, events: Any, authorization: str) -> Answer:
        """Keep a call and return its answer; an empty one accepts everything."""
        site_id = events[0].site_id
        call = {
            "kind": kind,
            "time": time.monotonic(),
            "events": [
                {"event_id": getattr(event, ID_FIELD[kind]), "name": getattr(event, NAME_FIELD[kind])}
                for event in events
            ],
            "authorization": authorization,
        }
        with self._lock:
            calls = self._calls[site_id]
            calls.append(call)
            answers: list[Answer] = self._answers.get(site_id.partition(".")[0], [])
            answer = answers[len(calls) - 1] if len(calls) <= len(answers) else {}
            is_meant = answer.get("if", "") in ("", *(event["name"] for event in call["events"]))
            return answer if is_meant else {}

    def calls(self, site_id: str) -> list[dict[str, Any]]:
        """What arrived for a site so far."""
        with self._lock:
            return list(self._calls[site_id])


def receipts_of(answer: Answer, events: Any) -> list[EventReceipt]:
    """One receipt per outcome of the answer; without outcomes all are ACCEPTED."""
    receipts = []
    for event, outcome in zip(events, answer.get("receipts") or ["ACCEPTED"] * len(events), strict=False):
        receipt = EventReceipt(event_id=event.event_id, outcome=outcome)
        receipt.received_time.CopyFrom(Timestamp(seconds=int(time.time())))
        if outcome == "REJECTED":
            receipt.violations.add(field="event_type", reason=Violation.REQUIRED, description="is required")
        receipts.append(receipt)
    return receipts


def status_of(answer: Answer) -> Status:
    """The rich status of an answer that is an error."""
    code = grpc.StatusCode[answer["status"]]
    status = Status(code=code.value[0], message="as the script says")
    if "retry_info" in answer:
        delay = Duration()
        delay.FromNanoseconds(round(answer["retry_info"] * 1e9))
        status.details.add().Pack(RetryInfo(retry_delay=delay))
    return status


class GrpcFace(CollectorServiceServicer, ScanSessionServiceServicer):
    """The batch calls over gRPC."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def BatchCollectServerEvents(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Server events."""
        answer = self._answer("server", request.events, context)
        return pb.BatchCollectServerEventsResponse(receipts=receipts_of(answer, request.events))

    def BatchCollectBrowserEvents(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Browser events."""
        answer = self._answer("browser", request.events, context)
        return pb.BatchCollectBrowserEventsResponse(receipts=receipts_of(answer, request.events))

    def BatchRegisterScanSessions(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Scans."""
        self._answer("scan", request.scan_sessions, context)
        return BatchRegisterScanSessionsResponse(scan_sessions=request.scan_sessions)

    def _answer(self, kind: str, events: Any, context: grpc.ServicerContext) -> Answer:
        metadata = dict(context.invocation_metadata())
        answer = self._script.record(kind, events, str(metadata.get("authorization", "")))
        time.sleep(answer.get("hang", 0))
        if "status" in answer:
            status = status_of(answer)
            trailers: list[tuple[str, Any]] = [("grpc-status-details-bin", status.SerializeToString())]
            if "retry_after" in answer:
                trailers.append(("retry-after", str(answer["retry_after"])))
            context.set_trailing_metadata(tuple(trailers))
            context.abort(grpc.StatusCode[answer["status"]], status.message)
        return answer


def json_face(script: Script) -> type[BaseHTTPRequestHandler]:
    """The batch calls as the gateway takes them."""

    class JsonFace(QuietHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            kind = {"/collect/batch": "browser", "/server-events/batch": "server"}.get(self.path)
            if kind is None:
                self.reply(404, {"code": 5, "message": "no such path", "details": []})
                return
            request = (
                pb.BatchCollectBrowserEventsRequest() if kind == "browser" else pb.BatchCollectServerEventsRequest()
            )
            json_format.Parse(body, request)
            answer = script.record(kind, request.events, self.headers.get("authorization", ""))
            time.sleep(answer.get("hang", 0))
            if "status" in answer:
                headers = {"retry-after": str(answer["retry_after"])} if "retry_after" in answer else {}
                status = json_format.MessageToDict(status_of(answer), preserving_proto_field_name=True)
                for detail in status.get(
                    "details", []
                ):  # Any's JSON names the delay retryDelay, the gateway's does not
                    if "retryDelay" in detail:
                        detail["retry_delay"] = detail.pop("retryDelay")
                self.reply(HTTP_STATUS[answer["status"]], status, headers)
                return
            receipts = [
                json_format.MessageToDict(receipt, preserving_proto_field_name=True)
                for receipt in receipts_of(answer, request.events)
            ]
            self.reply(200, {"receipts": receipts})

    return JsonFace


class QuietHandler(BaseHTTPRequestHandler):
    """Answers JSON, to pages of any origin too."""

    protocol_version = "HTTP/1.1"

    def reply(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        """Send it; a caller that has gone away is not a fault."""
        data = json.dumps(body).encode()
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in {
                "content-type": "application/json",
                "content-length": str(len(data)),
                "access-control-allow-origin": "*",
                "access-control-expose-headers": "retry-after",
                **(headers or {}),
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

    def do_OPTIONS(self) -> None:
        """CORS: everything may be asked."""
        self.reply(200, {}, {"access-control-allow-headers": "content-type, authorization"})

    def log_message(self, *_arguments: Any) -> None:
        """Nothing."""


class HttpServer(ThreadingHTTPServer):
    """Its threads end with the process: some hang on purpose."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], face: type[BaseHTTPRequestHandler]) -> None:
        self._connections: set[socket.socket] = set()
        super().__init__(address, face)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, which may be kept alive."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def server_close(self) -> None:
        """Break off every connection: a stopped server answers nothing."""
        super().server_close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_arguments: Any) -> None:
        """A client that breaks off is not a fault of the front."""


class Front:
    """Both faces with their control; `start` and `stop` keep the ports."""

    def __init__(self) -> None:
        self._script = Script()
        self._pool = ThreadPoolExecutor(32)
        self._grpc: grpc.Server | None = None
        self._http: HttpServer | None = None
        self._grpc_port = 0
        self._http_port = 0
        self.start()
        self._control = HttpServer(("127.0.0.1", 0), control_face(self))
        threading.Thread(target=self._control.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def grpc_url(self) -> str:
        """Of the gRPC face."""
        return f"grpc://127.0.0.1:{self._grpc_port}"

    @property
    def http_url(self) -> str:
        """Of the JSON face."""
        return f"http://127.0.0.1:{self._http_port}"

    @property
    def control_url(self) -> str:
        """Of the control."""
        return f"http://127.0.0.1:{self._control.server_address[1]}"

    def calls(self, site_id: str) -> list[dict[str, Any]]:
        """What arrived for a site so far."""
        return self._script.calls(site_id)

    def start(self) -> None:
        """Listen, on the ports of before."""
        if self._grpc is not None:
            return
        self._grpc = grpc.server(self._pool, options=[("grpc.so_reuseport", 0)])
        face = GrpcFace(self._script)
        add_CollectorServiceServicer_to_server(face, self._grpc)
        add_ScanSessionServiceServicer_to_server(face, self._grpc)
        self._grpc_port = self._grpc.add_insecure_port(f"127.0.0.1:{self._grpc_port}")
        self._grpc.start()
        self._http = HttpServer(("127.0.0.1", self._http_port), json_face(self._script))
        self._http_port = int(self._http.server_address[1])
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Listen no more and break off what is under way."""
        if self._grpc is not None and self._http is not None:
            self._grpc.stop(0).wait()
            self._http.shutdown()
            self._http.server_close()
            self._grpc = self._http = None

    def close(self) -> None:
        """End everything."""
        self.stop()
        self._control.shutdown()
        self._control.server_close()
        self._pool.shutdown(wait=False, cancel_futures=True)


def control_face(front: Front) -> type[BaseHTTPRequestHandler]:
    """What a runner in another process tells and asks."""

    class ControlFace(QuietHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            {"/start": front.start, "/stop": front.stop}[self.path]()
            self.reply(200, {})

        def do_GET(self) -> None:
            self.reply(200, front.calls(self.path.removeprefix("/calls/")))

    return ControlFace


@contextlib.contextmanager
def running_front() -> Iterator[Front]:
    """A front in this process."""
    front = Front()
    try:
        yield front
    finally:
        front.close()


if __name__ == "__main__":
    with running_front() as own:
        print(f"front: {own.grpc_url} {own.http_url} control {own.control_url}", flush=True)
        sys.stdin.read()
