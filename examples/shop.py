"""A small shop with the tag on its page, for a look at the whole way from a QR code to a purchase.

`make run` in one terminal, `python examples/shop.py` in another, then open http://127.0.0.1:8000/scan/poster-7, which
is the address in the QR code of a poster. `qrumb query` shows the events. For a look only, on this machine alone.
"""

import argparse
import json
import os
import secrets
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import grpc

from checkout_python import Order, report_purchase
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceStub
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb.v1.scan_session_service_pb2 import RegisterScanSessionRequest
from qrumb.v1.scan_session_service_pb2_grpc import ScanSessionServiceStub

HERE = Path(__file__).resolve().parent
DIST = HERE.parent / "clients" / "browser" / "dist"
PRICES = {"bowl": Decimal("34.00"), "cup": Decimal("18.50"), "vase": Decimal("49.90")}
FILES = {
    "/": (HERE / "shop/index.html", "text/html; charset=utf-8"),
    "/shop.css": (HERE / "shop/shop.css", "text/css"),
    "/shop.js": (HERE / "shop/shop.js", "text/javascript"),
    "/qrumb.js": (DIST / "qrumb.js", "text/javascript"),
    "/qrumb-stub.js": (DIST / "qrumb-stub.js", "text/javascript"),
}
MOST_BYTES = 10_000
# The visitor does not wait longer for being counted.
SCAN_SECONDS = 1


class Shop(BaseHTTPRequestHandler):
    """The shop's few pages."""

    site_id = "demo"
    key = ""
    collector = ""
    stub: CollectorServiceStub
    sessions: ScanSessionServiceStub

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/scan/"):
            self.redirect_scan(path.removeprefix("/scan/"))
        elif path in FILES and FILES[path][0].exists():
            file, kind = FILES[path]
            body = file.read_text(encoding="utf-8").replace("COLLECTOR", self.collector)
            self.answer(200, body.encode(), {"content-type": kind, "content-security-policy": self.policy()})
        else:
            self.answer(404, b"not found")

    def do_POST(self) -> None:
        if self.path != "/checkout":
            self.answer(404, b"not found")
            return
        asked = json.loads(self.rfile.read(min(int(self.headers.get("content-length", 0)), MOST_BYTES)))
        order = Order(
            number=f"A-{secrets.randbelow(10**6):06}",
            amount=sum((PRICES[item] for item in asked["items"]), Decimal(0)),
            currency="EUR",
            items=tuple(asked["items"]),
            scan_session_id=asked["session"],
            email=asked["email"],
        )
        # The purchase stands whatever becomes of its event; a real shop would report it from a queue of its own.
        try:
            is_scanned = bool(order.scan_session_id)
            outcome = "reported" if is_scanned and report_purchase(self.stub, self.site_id, self.key, order) else ""
        except grpc.RpcError as error:
            outcome = f"not reported: {error.code().name}"
        answer = {"number": order.number, "amount": str(order.amount), "outcome": outcome}
        self.answer(200, json.dumps(answer).encode(), {"content-type": "application/json"})

    def redirect_scan(self, qr_code_id: str) -> None:
        """What the address in a QR code does: a new session, registered, then the landing page."""
        session = f"scan-{secrets.token_urlsafe(12)}"
        scan = ScanSession(site_id=self.site_id, scan_session_id=session, qr_code_id=qr_code_id)
        try:
            self.sessions.RegisterScanSession(
                RegisterScanSessionRequest(scan_session=scan),
                metadata=(("authorization", f"Bearer {self.key}"),),
                timeout=SCAN_SECONDS,
            )
        except grpc.RpcError as error:
            self.log_message("scan not registered: %s", error)
        self.answer(302, b"", {"location": f"/?{urlencode({'qrs': session, 'utm_source': qr_code_id})}"})

    def policy(self) -> str:
        """A strict one: the tag needs no more."""
        return f"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' {self.collector}"

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Send one answer."""
        self.send_response(status)
        for name, value in ({"content-length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collector", default="http://127.0.0.1:8080")
    parser.add_argument("--grpc", default="127.0.0.1:9090")
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    if not (DIST / "qrumb.js").exists():
        parser.error("the tag is not built: npm ci && npm run build, in clients/browser")
    with grpc.insecure_channel(arguments.grpc) as channel:
        Shop.collector = arguments.collector
        Shop.key = os.environ.get("QRUMB_KEY", "")
        Shop.stub = CollectorServiceStub(channel)
        Shop.sessions = ScanSessionServiceStub(channel)
        server = ThreadingHTTPServer(("127.0.0.1", arguments.port), Shop)
        print(f"shop: http://127.0.0.1:{server.server_port}/scan/poster-7", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            server.server_close()


if __name__ == "__main__":
    main()
